// Command comparison writes what benchmarks recorded into a page:
//
//	comparison RESULTS PAGE...
//
// RESULTS has one line of JSON for each row, as record in the tests of package
// bench writes it. In each PAGE, what stands between the markers is replaced by
// the tables that the first of them asks for; the rest is left as it is. "make comparison" runs the benchmarks and
// then this.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What the tables stand between.
const (
	begin     = "<!-- measured: written by make comparison, from bench/results.json -->\n"
	beginEnds = "<!-- measured ends: written by make comparison, from bench/results.json -->\n" // of sessions
	end       = "<!-- measured: end -->\n"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: comparison RESULTS PAGE...")
		os.Exit(2)
	}
	for _, page := range os.Args[2:] {
		if err := write(os.Args[1], page); err != nil {
			fmt.Fprintln(os.Stderr, "comparison:", page+":", err)
			os.Exit(1)
		}
	}
}

// write brings a page up to date.
func write(resultsFile, pageFile string) error {
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	next, err := generate(resultsFile, string(page))
	if err != nil {
		return err
	}
	return os.WriteFile(pageFile, []byte(next), 0o644)
}

// generate returns a page with the tables of a file of results.
func generate(resultsFile, page string) (string, error) {
	file, err := os.Open(resultsFile)
	if err != nil {
		return "", err
	}
	defer file.Close()
	r, err := readResults(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", resultsFile, err)
	}
	if strings.Contains(page, beginEnds) {
		return insert(page, beginEnds, r.ends())
	}
	return insert(page, begin, r.String())
}

// errMarkers is returned for a page that does not say where the tables stand.
var errMarkers = errors.New("the page has not both markers, once and in order")

func insert(page, begin, tables string) (string, error) {
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended || strings.Contains(rest, begin) || strings.Contains(after, end) {
		return "", errMarkers
	}
	return before + begin + tables + "\n" + end + after, nil
}
