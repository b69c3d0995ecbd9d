"""Two small contracts in a test, and what the relation finds between them."""

from __future__ import annotations

from lockstep.core.contract.contract import Contract, parse_contract
from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.judge import Question
from lockstep.core.contract.satisfies import satisfies

# A contract in which everything is there that stands outside schemas.
EVERYTHING = """
info: {title: all of it, version: 1.0.0}
servers: [{url: https://example.org/v1}]
security: [{key: []}]
paths:
  /a/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    post:
      operationId: one
      tags: [a]
      deprecated: true
      x-sunset: '2031-01-01'
      x-stability-level: beta
      x-other: 1
      unknown: 1
      parameters:
      - {name: limit, in: query, schema: {type: integer}, style: form, explode: false}
      - {$ref: '#/components/parameters/Trace'}
      requestBody:
        required: true
        content: {multipart/form-data: {schema: {type: object}, encoding: {a: {contentType: a/b}}}}
      responses:
        '200':
          headers: {X-Count: {required: true, schema: {type: integer}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Tree'}}}
          links: {next: {operationId: one}}
        4XX: {content: {application/problem+json: {}}}
        default: {content: {text/*: {}}}
      callbacks: {done: {'{$request.query.url}': {post: {requestBody: {content: {application/json: {}}}}}}}
webhooks: {sold: {post: {requestBody: {content: {application/json: {schema: {type: string}}}}}}}
components:
  parameters: {Trace: {name: X-Trace, in: header, required: true, schema: {type: string}}}
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas: {Tree: {type: object, properties: {below: {type: array, items: {$ref: '#/components/schemas/Tree'}}}}}
"""


def contract(text: str, path: str = "contract.yaml") -> Contract:
    """A contract from YAML; its first line is added."""
    return parse_contract({path: f'openapi: "3.1.0"\n{text}'.encode()}, path)


def compared(*, provider: str, needed: str, question: Question = Question.PROMISE) -> tuple[ContractFinding, ...]:
    """What is found on 2030-06-15; line 1 of both is the version, what is given begins on line 2."""
    ours, theirs = contract(provider, "provider.yaml"), contract(needed, "needed.yaml")
    return satisfies(ours, theirs, question, today="2030-06-15")


def rules(findings: tuple[ContractFinding, ...]) -> list[str]:
    """The rules of what was found, the heaviest first."""
    return [one.rule for one in findings]


def breaks(findings: tuple[ContractFinding, ...]) -> list[str]:
    """The rules of what is no INFO."""
    return [one.rule for one in findings if one.level is not Level.INFO]
