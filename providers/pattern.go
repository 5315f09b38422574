package providers

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/hosts"
)

// Kind is how a [Pattern] names hosts. A larger one is more specific.
type Kind int

const (
	Regex Kind = iota
	Wildcard
	Exact
)

// Pattern is one host of a definition with the paths there, compiled. It is
// immutable.
type Pattern struct {
	kind  Kind
	host  string // Exact: the host. Otherwise: the suffix every match ends in, with its dot
	expr  *regexp.Regexp
	port  int
	paths []string // prefixes; none means all
	text  string
}

// parsePattern compiles a bare host, a wildcard (*.suffix), an https URL whose
// path is a prefix, or regex: and an expression.
//
// Whatever it accepts can only match hosts of one registrable domain, on label
// boundaries: an expression that is written loosely would give a credential to
// whoever registers a matching name.
func parsePattern(s string) (Pattern, error) {
	if expr, ok := strings.CutPrefix(s, "regex:"); ok {
		return parseRegex(s, expr)
	}
	p := Pattern{kind: Exact, port: 443, text: s}
	host := s
	if strings.Contains(s, "://") {
		u, err := url.Parse(strings.Replace(s, "://*.", "://wildcard--.", 1))
		if err != nil {
			return Pattern{}, errors.New("not a URL")
		}
		if host, err = p.takeURL(u); err != nil {
			return Pattern{}, err
		}
		if rest, ok := strings.CutPrefix(host, "wildcard--."); ok {
			host = "*." + rest
		}
	} else if strings.ContainsAny(s, "/?#@ ") {
		return Pattern{}, errors.New("a bare host has no path; write a URL with https://")
	} else if name, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Pattern{}, errors.New("not a port number")
		}
		host, p.port = name, int(n)
	}
	if suffix, ok := strings.CutPrefix(host, "*."); ok {
		return p.wildcard(suffix)
	}
	if strings.Contains(host, "*") {
		return Pattern{}, errors.New("a wildcard stands for whole labels at the front: *.example.com")
	}
	name, err := hosts.Normalize(host)
	if err != nil {
		return Pattern{}, err
	}
	if hosts.MayBeLoopback(name) {
		return Pattern{}, errors.New("loopback hosts are never routes")
	}
	p.host = name
	return p, nil
}

func (p *Pattern) takeURL(u *url.URL) (host string, err error) {
	switch {
	case u.Scheme != "https":
		return "", errors.New("credentials travel over https only")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("only a host, a port and a path may stand in it")
	}
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return "", errors.New("not a port number")
		}
		p.port = int(n)
	}
	if u.Path != "" && u.Path != "/" {
		p.paths = []string{u.Path}
		if cleaned := path.Clean(u.Path); cleaned != strings.TrimSuffix(u.Path, "/") || u.RawPath != "" {
			return "", errors.New("the path has dot segments, doubled slashes or escapes")
		}
	}
	return u.Hostname(), nil
}

func (p Pattern) wildcard(suffix string) (Pattern, error) {
	name, err := hosts.Normalize(suffix)
	if err != nil {
		return Pattern{}, err
	}
	if err := registrable(name); err != nil {
		return Pattern{}, err
	}
	p.kind, p.host = Wildcard, "."+name
	return p, nil
}

// oneOperator are suffixes on the public suffix list whose every host is run by
// the one who owns the suffix: they are listed for cookies, not because others
// can have a server there.
var oneOperator = map[string]bool{"googleapis.com": true}

// registrable refuses a suffix under which anybody can register names.
func registrable(name string) error {
	if oneOperator[name] {
		return nil
	}
	if _, isAddress := hosts.KindOfHost(name); isAddress {
		return errors.New("a wildcard over addresses")
	}
	// Names that the list does not know (.test, .internal) end in one label.
	if _, err := publicsuffix.EffectiveTLDPlusOne(name); err != nil {
		return fmt.Errorf("anybody can register names under %s", name)
	}
	return nil
}

var literalSuffix = regexp.MustCompile(`(?:^|\\\.)((?:[a-z0-9-]+\\\.)+[a-z0-9-]+)\$?$`)

// parseRegex accepts an expression that ends in a literal registrable domain. It
// is anchored at both ends, whether or not it says so, and MatchHost holds every
// match to that domain besides, so that no alternative can leave it.
func parseRegex(text, expr string) (Pattern, error) {
	m := literalSuffix.FindStringSubmatch(expr)
	if m == nil {
		return Pattern{}, errors.New(`the expression must end in a literal domain behind a dot, as \.example\.com; better: *.example.com`)
	}
	domain := strings.ReplaceAll(m[1], `\.`, ".")
	if err := registrable(domain); err != nil {
		return Pattern{}, err
	}
	if _, err := regexp.Compile(expr); err != nil { // on its own: what is put around it closes no bracket of its own
		return Pattern{}, errors.New("not a regular expression")
	}
	compiled, err := regexp.Compile(`^(?:` + expr + `)$`)
	if err != nil {
		return Pattern{}, errors.New("not a regular expression")
	}
	return Pattern{kind: Regex, host: "." + domain, expr: compiled, port: 443, text: text}, nil
}

// MatchHost reports whether a host, as [hosts.Normalize] spells it, is named.
func (p Pattern) MatchHost(host string) bool {
	switch p.kind {
	case Exact:
		return host == p.host
	case Wildcard:
		return len(host) > len(p.host) && strings.HasSuffix(host, p.host)
	default:
		return (strings.HasSuffix(host, p.host) || host == p.host[1:]) && p.expr.MatchString(host)
	}
}

// Compare orders patterns that match the same host by how closely they name it:
// exact over wildcard over expression, and of two wildcards the longer one.
func (p Pattern) Compare(o Pattern) int {
	if c := cmp.Compare(p.kind, o.kind); c != 0 || p.kind != Wildcard {
		return c
	}
	return cmp.Compare(len(p.host), len(o.host))
}

// Kind is how the pattern names hosts.
func (p Pattern) Kind() Kind { return p.kind }

// Host is the host of an Exact pattern, and the suffix of another.
func (p Pattern) Host() string { return p.host }

// Port is the one port of the pattern.
func (p Pattern) Port() int { return p.port }

// Paths are the prefixes of the paths that are meant. None means all.
func (p Pattern) Paths() []string { return slices.Clone(p.paths) }

// MatchPath is the length of the longest prefix that a path lies under, on a
// segment boundary, and whether there is one.
func (p Pattern) MatchPath(path string) (int, bool) {
	if len(p.paths) == 0 {
		return 0, true
	}
	longest := -1
	for _, prefix := range p.paths {
		if len(prefix) > longest && under(path, prefix) {
			longest = len(prefix)
		}
	}
	return longest, longest >= 0
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }
