package metrics_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// constants returns the values of the string constants of a package that select
// picks by name and declared type, from its source.
func constants(t *testing.T, dir string, selects func(name, typ string) bool) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range f.Decls {
			if d, ok := declaration.(*ast.GenDecl); ok && d.Tok == token.CONST {
				values = append(values, selected(t, d, selects)...)
			}
		}
	}
	slices.Sort(values)
	return values
}

func selected(t *testing.T, d *ast.GenDecl, selects func(name, typ string) bool) []string {
	t.Helper()
	var values []string
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		typ := ""
		if s.Type != nil {
			typ = fmt.Sprint(s.Type)
		}
		for i, name := range s.Names {
			if !selects(name.Name, typ) {
				continue
			}
			literal, ok := s.Values[i].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				t.Fatalf("constant %s is not a string literal", name)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
	}
	return values
}

func typed(want string) func(name, typ string) bool {
	return func(_, typ string) bool { return typ == want }
}

func strs[T ~string](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return all
}

// A constant that its package adds without listing it would be counted as "other".
func TestOwnersListEveryConstant(t *testing.T) {
	for _, tt := range []struct {
		dir     string
		what    string
		selects func(name, typ string) bool
		listed  []string
	}{
		{"intercept", "Codes", typed("Code"), strs(intercept.Codes())},
		{"routing", "Reasons", typed("Reason"), strs(routing.Reasons())},
		{"auth", "RefreshOutcomes", func(name, typ string) bool { return typ == "" && strings.HasPrefix(name, "Refresh") }, strs(auth.RefreshOutcomes())},
		{"vault", "Operations", typed("Operation"), strs(vault.Operations())},
		{"vault", "Outcomes", typed("Outcome"), strs(vault.Outcomes())},
	} {
		declared := constants(t, tt.dir, tt.selects)
		if len(declared) == 0 || !slices.Equal(declared, tt.listed) {
			t.Errorf("%s declares %q, and %s.%s lists %q", tt.dir, declared, tt.dir, tt.what, tt.listed)
		}
	}
}

// Each value that its owner lists is a label value, and each status of a connection
// that cannot be used.
func TestKnownValuesAreLabels(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg)
	for _, code := range intercept.Codes() {
		m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Code: code})
	}
	for _, reason := range routing.Reasons() {
		m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Reason: reason, Injected: reason == routing.Matched})
	}
	for _, outcome := range auth.RefreshOutcomes() {
		m.Refresh(auth.Refresh{Outcome: outcome})
	}
	for _, operation := range vault.Operations() {
		for _, outcome := range vault.Outcomes() {
			m.VaultOperation(operation, outcome)
		}
	}
	var expiries []metrics.Expiry
	for _, status := range constants(t, "auth", typed("Status")) {
		if status != string(auth.StatusConnected) {
			expiries = append(expiries, metrics.Expiry{Provider: "p", Connection: status, Status: auth.Status(status), Since: time.Now()})
		}
	}
	if len(expiries) < 4 {
		t.Errorf("only %d statuses found in package auth", len(expiries))
	}
	m.ConnectionExpiry(expiries)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.Metric {
			for _, l := range s.Label {
				if l.GetName() != "provider" && l.GetValue() == "other" {
					t.Errorf("%s has a value of %s that counts as other", f.GetName(), l.GetName())
				}
			}
		}
	}
}

// Every kind counts as what it is: a request, a connection that was passed through,
// or neither.
func TestKindsAreCounted(t *testing.T) {
	type counts struct{ requests, tunnels float64 }
	want := map[intercept.Kind]counts{
		intercept.KindRequest: {requests: 1}, intercept.KindPlain: {requests: 1}, intercept.KindTunnel: {tunnels: 1}, intercept.KindRefused: {}, intercept.KindUnused: {},
	}
	for _, name := range constants(t, "intercept", typed("Kind")) {
		kind := intercept.Kind(name)
		reg := prometheus.NewPedanticRegistry()
		metrics.New(reg).Exchange(intercept.Exchange{Kind: kind, Status: 200})
		got := counts{value(t, reg, "authsome_requests_total", "code=2xx", "provider=none"), value(t, reg, "authsome_tunnels_total")}
		if expected, ok := want[kind]; !ok || got != expected {
			t.Errorf("%s counts as %+v, want %+v", kind, got, expected)
		}
	}
}
