package providers

import (
	"net/url"
	"slices"
	"strings"
)

// excludedPath is a path that never gets a credential, in every spelling that a
// server may accept. That is more than the paths of the same text: frameworks ignore
// a format (/token.json), the blank or the dot at the end (IIS), the case, and front
// controllers (/index.php/token). A path that matches by mistake only loses its
// credential, so whatever is unclear matches.
type excludedPath struct {
	segments []segment
	alone    bool // the paths under it are not excluded
}

// segment is one segment of an excluded path, in lower case.
type segment struct {
	text  string // the segment, or what is before the first name of a template
	after string // what is between the first name and the second one
	named bool   // the segment is a template
}

// excludePath compiles a decoded path. In its segments, a name or a * matches any
// text. The root of a host has no segments, and nothing matches it.
func excludePath(template string, alone bool) excludedPath {
	e := excludedPath{alone: alone}
	for text := range strings.SplitSeq(strings.ToLower(cleanPath(template)), "/") {
		if text == "" {
			continue
		}
		s := segment{text: text}
		before, _, after, ok := cutName(text)
		if !ok {
			before, after, ok = strings.Cut(text, "*")
		}
		if ok {
			s = segment{text: before, named: true}
			if names(after) == nil {
				s.after = after
			}
		}
		e.segments = append(e.segments, s)
	}
	return e
}

// match reports whether p is the excluded path or, unless alone is set, under it.
// Empty segments and single dots are ignored.
func (e *excludedPath) match(p string) bool {
	return len(e.segments) > 0 && matchSegments(e.segments, p, e.alone, maxScripts)
}

// maxScripts limits the programs that are skipped in a path.
const maxScripts = 4

// matchSegments compares the segments with the beginning of p or, if alone is set,
// with the whole of it. It may skip up to scripts programs.
func matchSegments(segments []segment, p string, alone bool, scripts int) bool {
	for {
		if len(segments) == 0 && !alone {
			return true
		}
		text, rest := nextSegment(p)
		if text == "" {
			return len(segments) == 0
		}
		if scripts > 0 && isScript(text) && matchSegments(segments, rest, alone, scripts-1) {
			return true
		}
		if len(segments) == 0 || !segments[0].match(text, len(segments) == 1) {
			return false
		}
		segments, p = segments[1:], rest
	}
}

// nextSegment returns the first segment of a path and the rest. The segment is empty
// at the end of the path.
func nextSegment(p string) (text, rest string) {
	for p != "" {
		text, p, _ = strings.Cut(p, "/")
		if text != "" && text != "." {
			return text, p
		}
	}
	return "", ""
}

// match reports whether a server may take text for the segment.
func (s *segment) match(text string, last bool) bool {
	rest, ok := cutLower(text, s.text)
	if !ok {
		return false
	}
	if !s.named {
		return endsName(rest, last)
	}
	if s.after == "" {
		return rest != ""
	}
	for i := 1; i < len(rest); i++ {
		if end, ok := cutLower(rest[i:], s.after); ok && endsName(end, last) {
			return true
		}
	}
	return false
}

// cutLower removes a prefix of which s may have another case of letters. The prefix
// is in lower case.
func cutLower(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) {
		return s, false
	}
	for i := range len(prefix) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return s, false
		}
	}
	return s[len(prefix):], true
}

// endsName reports whether a server may ignore the rest of a segment. In the last
// segment, that is everything that does not continue the word: .json, %20, ;x=y and
// what else may be. The readings of a path cover what it may ignore in the others.
func endsName(rest string, last bool) bool {
	if rest == "" || !last {
		return rest == ""
	}
	c := rest[0]
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
}

// scripts are the endings of files that servers run with the rest of the path.
var scripts = []string{".php", ".cgi", ".fcgi", ".pl", ".py", ".cfm", ".asp", ".aspx", ".ashx", ".jsp"}

// isScript reports whether a segment names a program, as index.php. Such a program
// gets the rest of the path, and is what answers for its directory.
func isScript(text string) bool {
	dot := strings.LastIndexByte(text, '.')
	return dot >= 0 && slices.ContainsFunc(scripts, func(s string) bool { return strings.EqualFold(s, text[dot:]) })
}

// Endpoints are the paths of OAuth endpoints, which never get a stored credential,
// because their responses contain new secrets. The hosts of the endpoints do not
// count: many services answer on several hosts, with the same endpoints on each. The
// zero value has no paths.
type Endpoints struct {
	paths []excludedPath
}

// ParseEndpoints returns the paths of absolute URLs. A URL without a path counts for
// nothing, because it would exclude the whole host. Its errors are [*FieldError].
func ParseEndpoints(urls []string) (Endpoints, error) {
	var e Endpoints
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return Endpoints{}, &FieldError{Reason: "an OAuth endpoint is not an absolute URL", Hint: "expected https://HOST/PATH"}
		}
		e.paths = append(e.paths, excludePath(u.Path, false))
	}
	return e, nil
}

// Match reports whether a path is one of the endpoints or under one, in the spelling
// of the client or in one of its [Readings].
func (e Endpoints) Match(path string) bool {
	return matchAny(e.paths, path)
}

// matchAny reports whether a server may take p for one of the paths. Servers that
// match a prefix look at the path before its dot segments are removed.
func matchAny(paths []excludedPath, p string) bool {
	if len(paths) == 0 {
		return false
	}
	cleaned := cleanPath(p)
	for i := range paths {
		if paths[i].match(cleaned) || cleaned != p && paths[i].match(p) {
			return true
		}
	}
	return false
}
