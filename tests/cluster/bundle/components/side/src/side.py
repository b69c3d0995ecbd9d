"""A component that most releases share."""

from typing import Any

from service import Service, nothing, serve


def main() -> None:
    """Serves until SIGTERM."""

    async def question() -> dict[str, Any]:
        return {"answer": "aside", "served_by": {"side": service.name}}

    service = Service(question, nothing)
    serve(service)


if __name__ == "__main__":
    main()
