package providers

import (
	"cmp"
	"errors"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Kind says how a [Pattern] matches hosts. A larger kind is more specific.
type Kind int

const (
	Regex    Kind = iota // a regular expression, in schema 1 only
	Wildcard             // all names under a suffix
	Exact                // one host
)

// Pattern is a compiled host of a definition, with a port and path prefixes. It is
// immutable.
type Pattern struct {
	kind  Kind
	host  string         // of an Exact pattern, the host; otherwise the suffix of every match, with its dot
	expr  *regexp.Regexp // of a Regex pattern
	port  int
	paths []string // path prefixes; if empty, all paths
	text  string   // as written in the definition
}

// parsePattern compiles a host, a wildcard (*.suffix), an https URL with a path
// prefix, or "regex:" followed by a regular expression.
//
// A pattern matches only hosts of one registrable domain, on label boundaries.
// Otherwise a careless expression would give the credential to anyone who registers
// a matching name.
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
		if host, err = p.parseURL(u); err != nil {
			return Pattern{}, err
		}
		if rest, ok := strings.CutPrefix(host, "wildcard--."); ok {
			host = "*." + rest
		}
	} else if strings.ContainsAny(s, "/?#@ ") {
		return Pattern{}, errors.New("a host without https:// cannot have a path, a query, a user name or a space")
	} else if name, port, ok := strings.Cut(s, ":"); ok && !strings.Contains(port, ":") {
		n, err := parsePort(port)
		if err != nil {
			return Pattern{}, err
		}
		host, p.port = name, n
	}
	if suffix, ok := strings.CutPrefix(host, "*."); ok {
		return p.wildcard(suffix)
	}
	if strings.Contains(host, "*") {
		return Pattern{}, errors.New("a wildcard must be the whole first label, as in *.example.com")
	}
	name, err := hosts.Normalize(host)
	if err != nil {
		return Pattern{}, err
	}
	if hosts.MayBeLoopback(name) {
		return Pattern{}, errors.New("a loopback host cannot get a credential")
	}
	if hosts.Reserved(name) {
		return Pattern{}, &reservedError{name}
	}
	p.host = name
	return p, nil
}

// parseURL sets the port and paths of p from u and returns the host.
func (p *Pattern) parseURL(u *url.URL) (host string, err error) {
	switch {
	case u.Scheme != "https":
		return "", errors.New("credentials are sent over https only")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the URL may have only a host, a port and a path")
	}
	if s := u.Port(); s != "" {
		if p.port, err = parsePort(s); err != nil {
			return "", err
		}
	}
	if u.Path != "" && u.Path != "/" {
		p.paths = []string{u.Path}
		if cleaned := path.Clean(u.Path); cleaned != strings.TrimSuffix(u.Path, "/") || u.RawPath != "" {
			return "", errors.New("the path has dot segments, doubled slashes or percent escapes")
		}
	}
	return u.Hostname(), nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("not a port number")
	}
	return int(n), nil
}

func (p Pattern) wildcard(suffix string) (Pattern, error) {
	name, err := hosts.Normalize(suffix)
	if err != nil {
		return Pattern{}, err
	}
	if err := checkRegistrable(name); err != nil {
		return Pattern{}, err
	}
	p.kind, p.host = Wildcard, "."+name
	return p, nil
}

var literalSuffix = regexp.MustCompile(`(?:^|\\\.)((?:[a-z0-9-]+\\\.)+[a-z0-9-]+)\$?$`)

// parseRegex compiles an expression that must end in a literal registrable domain.
// It always matches whole hosts. MatchHost also checks that the host is in that
// domain, because one alternative of an expression may not end in it.
func parseRegex(text, expr string) (Pattern, error) {
	m := literalSuffix.FindStringSubmatch(expr)
	if m == nil {
		return Pattern{}, errors.New(`the expression must end in a dot and a literal domain, as in \.example\.com; *.example.com is simpler`)
	}
	domain := strings.ReplaceAll(m[1], `\.`, ".")
	if err := checkRegistrable(domain); err != nil {
		return Pattern{}, err
	}
	// The expression must be valid without the group around it: a)(b is not.
	if _, err := regexp.Compile(expr); err != nil {
		return Pattern{}, errors.New("not a regular expression")
	}
	compiled, err := regexp.Compile(`^(?:` + expr + `)$`)
	if err != nil {
		return Pattern{}, errors.New("not a regular expression")
	}
	return Pattern{kind: Regex, host: "." + domain, expr: compiled, port: 443, text: text}, nil
}

// MatchHost reports whether the pattern matches a host, in the spelling of
// [hosts.Normalize].
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

// Compare orders patterns that match the same host by how specific they are. It
// returns a positive number if p is more specific than o: an exact host is more
// specific than a wildcard, a wildcard more than an expression, and a longer
// wildcard more than a shorter one.
func (p Pattern) Compare(o Pattern) int {
	if c := cmp.Compare(p.kind, o.kind); c != 0 || p.kind != Wildcard {
		return c
	}
	return cmp.Compare(len(p.host), len(o.host))
}

// Kind returns how the pattern matches hosts.
func (p Pattern) Kind() Kind { return p.kind }

// Host returns the host of an [Exact] pattern, or else the suffix of all matches,
// with its dot.
func (p Pattern) Host() string { return p.host }

// Port returns the port of the pattern.
func (p Pattern) Port() int { return p.port }

// Paths returns the path prefixes of the pattern. If it has none, all paths match.
func (p Pattern) Paths() []string { return slices.Clone(p.paths) }

// MatchPath returns the length of the longest path prefix that matches path, on a
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

// String returns the pattern as it is written in the definition.
func (p Pattern) String() string { return p.text }
