package e2e

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// metric has the series of one metric. The value of a histogram is its count.
type metric struct{ series []series }

type series struct {
	labels map[string]string
	value  float64
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (authsome_\w+) (\w+)$`)
	sampleLine = regexp.MustCompile(`^(authsome_\w+?)(_bucket|_sum|_count)?(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// parseMetrics reads the text format of Prometheus, as far as the proxy uses it.
func parseMetrics(t *testing.T, text string) map[string]*metric {
	t.Helper()
	all := make(map[string]*metric)
	histograms := make(map[string]bool)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			all[m[1]], histograms[m[1]] = new(metric), m[2] == "histogram"
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, suffix := m[1], m[2]
		if !histograms[name] {
			name, suffix = name+suffix, "_count"
		}
		value, err := strconv.ParseFloat(m[4], 64)
		if err != nil || all[name] == nil {
			t.Fatalf("metrics: %q: %v", line, err)
		}
		if suffix != "_count" {
			continue
		}
		s := series{make(map[string]string), value}
		for _, pair := range labelPair.FindAllStringSubmatch(m[3], -1) {
			s.labels[pair[1]] = pair[2]
		}
		all[name].series = append(all[name].series, s)
	}
	return all
}

// moved reports whether a series with these labels, written as "name=value …", is
// not zero.
func (m *metric) moved(labels string) bool {
	return m != nil && slices.ContainsFunc(m.series, func(s series) bool {
		for pair := range strings.FieldsSeq(labels) {
			name, value, _ := strings.Cut(pair, "=")
			if s.labels[name] != value {
				return false
			}
		}
		return s.value != 0
	})
}

// documentedMetric is a row of the table of metrics in docs/sidecar.md.
type documentedMetric struct {
	labels map[string][]string // the values of a label; nil if any is possible
}

var (
	codeSpan  = regexp.MustCompile("`([^`]+)`")
	answerRow = regexp.MustCompile("(?m)^\\| \\d{3} \\| `(\\w+)` \\|")
)

// readDocumentedMetrics reads the tables of metrics and labels in docs/sidecar.md.
// A cell that links errors.md means the codes that are listed there.
func readDocumentedMetrics(t *testing.T) map[string]*documentedMetric {
	t.Helper()
	page, err := os.ReadFile("../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*documentedMetric)
	_, section, _ := strings.Cut(string(page), "\n## Metrics\n")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		first, second := spans(cells[1]), spans(cells[2])
		switch {
		case len(first) != 1: // a heading
		case strings.HasPrefix(first[0], "authsome_"):
			all[first[0]] = &documentedMetric{make(map[string][]string)}
			for _, label := range second {
				all[first[0]].labels[label] = nil
			}
		default:
			values := spans(cells[3])
			if strings.Contains(cells[3], "(errors.md)") {
				for _, m := range answerRow.FindAllStringSubmatch(string(codes), -1) {
					values = append(values, m[1])
				}
			}
			if len(second) == 0 {
				second = slices.Collect(maps.Keys(all))
			}
			for _, name := range second {
				if m := all[name]; m == nil {
					t.Errorf("docs/sidecar.md has no row for %s", name)
				} else if _, ok := m.labels[first[0]]; ok {
					m.labels[first[0]] = values
				}
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d metrics in docs/sidecar.md", len(all))
	}
	return all
}

func spans(cell string) []string {
	var all []string
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// testNames are label values that TestMetrics chooses.
var testNames = map[string][]string{"provider": {"upstream", "renewed", "refused", "down"}, "connection": {"default"}}

// check checks that a series has the documented labels, with documented values.
func (d *documentedMetric) check(t *testing.T, name string, s series) {
	t.Helper()
	for label, value := range s.labels {
		values, ok := d.labels[label]
		if !ok {
			t.Errorf("docs/sidecar.md has no label %s of %s", label, name)
		}
		values = append(slices.Clone(values), testNames[label]...)
		if len(values) > 0 && !slices.Contains(values, value) {
			t.Errorf("%s: %s=%q is not one of %q", name, label, value, values)
		}
	}
	for label := range d.labels {
		if _, ok := s.labels[label]; !ok {
			t.Errorf("%s: a series has no label %s", name, label)
		}
	}
}
