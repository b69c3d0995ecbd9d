// Asks oasdiff's library about pairs of files: a line `base<TAB>revision` in, one JSON object out with all that it finds.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

type finding struct {
	ID        string `json:"id"`
	Level     string `json:"level"`
	Operation string `json:"operation"`
	Path      string `json:"path"`
	Text      string `json:"text"`
}

type answer struct {
	Error    string    `json:"error"`
	Findings []finding `json:"findings"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		base, revision, _ := strings.Cut(lines.Text(), "\t")
		if err := out.Encode(asked(base, revision)); err != nil {
			panic(err)
		}
	}
}

// What oasdiff says; what it cannot read or falls over is its error.
func asked(base, revision string) (said answer) {
	said.Findings = []finding{}
	defer func() {
		if cause := recover(); cause != nil {
			said.Error = fmt.Sprint("panic: ", cause)
		}
	}()
	old, err := read(base)
	if err != nil {
		said.Error = err.Error()
		return
	}
	changed, err := read(revision)
	if err != nil {
		said.Error = err.Error()
		return
	}
	difference, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), old, changed)
	if err != nil {
		said.Error = err.Error()
		return
	}
	config := checker.NewConfig(checker.GetAllChecks())
	words := checker.NewDefaultLocalizer()
	for _, one := range checker.CheckBackwardCompatibilityUntilLevel(config, difference, sources, checker.INFO) {
		said.Findings = append(said.Findings, finding{
			one.GetId(), one.GetLevel().String(), one.GetOperation(), one.GetPath(), one.GetUncolorizedText(words),
		})
	}
	return
}

// As the command reads a file: names of headers in lower case.
func read(path string) (*load.SpecInfo, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	return load.NewSpecInfo(loader, load.NewSource(path), load.WithLowercaseHeaders())
}
