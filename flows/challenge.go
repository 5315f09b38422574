package flows

import "strings"

// authChallenge is one challenge of a WWW-Authenticate header (RFC 9110 section 11.6.1).
// The scheme and the names of parameters are in lower case.
type authChallenge struct {
	scheme string
	params map[string]string
}

// maxChallenges bounds how many challenges of an answer are read.
const maxChallenges = 16

// parseChallenges reads the challenges in the values of WWW-Authenticate headers. Of a
// malformed value it returns the challenges before the error.
func parseChallenges(values []string) []authChallenge {
	var all []authChallenge
	for _, v := range values {
		p := challengeParser{rest: v}
		for len(all) < maxChallenges {
			c, ok := p.next()
			if !ok {
				break
			}
			all = append(all, c)
		}
	}
	return all
}

type challengeParser struct{ rest string }

// next reads a scheme and its parameters. Commas separate both parameters and challenges:
// a name after a comma is a parameter if an equals sign follows it.
func (p *challengeParser) next() (authChallenge, bool) {
	p.skip(" \t,")
	c := authChallenge{scheme: strings.ToLower(p.token()), params: make(map[string]string)}
	if c.scheme == "" || p.rest != "" && !strings.HasPrefix(p.rest, " ") && !strings.HasPrefix(p.rest, "\t") && !strings.HasPrefix(p.rest, ",") {
		p.rest = ""
		return authChallenge{}, false
	}
	for {
		p.skip(" \t,")
		before := p.rest
		name := strings.ToLower(p.token())
		p.skip(" \t")
		if name == "" || !strings.HasPrefix(p.rest, "=") {
			p.rest = before
			if p.skipToken68() {
				continue
			}
			return c, true
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			p.rest = before
			if !p.skipToken68() {
				p.rest = ""
			}
			return c, true
		}
		if _, twice := c.params[name]; !twice {
			c.params[name] = value
		}
	}
}

func (p *challengeParser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

func (p *challengeParser) token() string { return p.takeWhile(isTokenByte) }

func (p *challengeParser) takeWhile(accept func(byte) bool) string {
	n := 0
	for n < len(p.rest) && accept(p.rest[n]) {
		n++
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// value reads a quoted string or a token. It also accepts a URL without quotes, since some
// servers forget them.
func (p *challengeParser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		s := p.takeWhile(func(c byte) bool { return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != '=' })
		return s, s != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// skipToken68 skips a token68, which some schemes have instead of parameters. It reports
// whether there was one.
func (p *challengeParser) skipToken68() bool {
	before := p.rest
	p.takeWhile(func(c byte) bool { return isTokenByte(c) || c == '/' })
	signs := p.takeWhile(func(c byte) bool { return c == '=' })
	ended := p.rest == "" || strings.IndexByte(" \t,", p.rest[0]) >= 0
	if p.rest != before && signs != "" && ended {
		return true
	}
	p.rest = before
	return false
}
