package providers

import (
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

// sampleValues returns values that the definition accepts. The value of a secret is
// its name in capitals, unless another param is derived from it.
func sampleValues(t *testing.T, d *Definition) Values {
	t.Helper()
	values := Values{nameAccessToken: secret.New("ACCESS-TOKEN"), nameClientID: secret.New("CLIENT-ID")}
	values[nameBaseURL] = secret.New(cmp.Or(d.BaseURL, "https://own.example.com"))
	if !d.namesBaseURL() {
		delete(values, nameBaseURL)
	}
	for i := range d.Params {
		p := &d.Params[i]
		if !p.asked() && p.From != FromToken && p.From != FromCallback {
			continue
		}
		values[p.Name] = secret.New(sampleValue(t, d, p))
	}
	if err := d.Derive(values); err != nil {
		t.Fatal(err)
	}
	return values
}

func sampleValue(t *testing.T, d *Definition, p *Param) string {
	t.Helper()
	var derived []*Param // params whose value comes from p
	for i := range d.Params {
		if d.Params[i].From == p.Name {
			derived = append(derived, &d.Params[i])
		}
	}
	for _, o := range derived {
		if o.Path != "" {
			document := make(map[string]string)
			for _, o := range derived {
				document[o.Path] = strings.ToUpper(o.Name)
			}
			text, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	switch {
	case p.Default != "":
		return p.Default
	case p.Pattern != "" && (!p.Secret || len(derived) > 0):
		return matching(t, p.Pattern)
	case len(derived) > 0 && derived[0].Match != "":
		return matching(t, strings.TrimSuffix(derived[0].Match, "$"))
	case p.From == FromToken && slices.Contains(d.Hosts, "{"+p.Name+"}"):
		return p.Name + ".example.com"
	case !p.Secret:
		return "my-" + strings.ReplaceAll(p.Name, "_", "-")
	}
	return strings.ToUpper(strings.ReplaceAll(p.Name, "_", "-"))
}

// matching returns a short text that matches a pattern.
func matching(t *testing.T, pattern string) string {
	t.Helper()
	expr, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	text, err := example(expr.Simplify())
	if err != nil || !regexp.MustCompile(pattern).MatchString(text) {
		t.Fatalf("no sample for %s: %q, %v", pattern, text, err)
	}
	return text
}

func example(e *syntax.Regexp) (string, error) {
	switch e.Op {
	case syntax.OpLiteral:
		return string(e.Rune), nil
	case syntax.OpCharClass:
		for _, want := range "ax1-" {
			for i := 0; i < len(e.Rune); i += 2 {
				if e.Rune[i] <= want && want <= e.Rune[i+1] {
					return string(want), nil
				}
			}
		}
		return string(e.Rune[0]), nil
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x", nil
	case syntax.OpCapture, syntax.OpPlus:
		return example(e.Sub[0])
	case syntax.OpStar, syntax.OpQuest, syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return "", nil
	case syntax.OpAlternate:
		return example(e.Sub[0])
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range e.Sub {
			text, err := example(sub)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
		}
		return b.String(), nil
	}
	return "", errors.New("unknown operator " + e.Op.String())
}
