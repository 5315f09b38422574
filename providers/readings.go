package providers

import (
	"net/url"
	"slices"
	"strings"
)

// Readings returns the other paths that servers may take an escaped path for. Some
// decode it once, some twice. Some treat backslashes as slashes, and some remove
// doubled slashes and dot segments. Java servers also remove the part of a segment
// after a semicolon, before they look for dot segments. If the result is empty, all
// servers read the path the same way. An invalid escape is an error.
func Readings(escaped string) ([]string, error) {
	decoded, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	if decoded == escaped && !strings.ContainsAny(escaped, `;\`) && clean(escaped) == escaped {
		return nil, nil
	}
	all := []string{decoded}
	twice, err := url.PathUnescape(decoded)
	if err != nil {
		twice = decoded
	}
	for _, p := range []string{escaped, decoded, twice} {
		for _, reading := range []string{clean(p), clean(withoutParameters(p))} {
			if reading != escaped && !slices.Contains(all, reading) {
				all = append(all, reading)
			}
		}
	}
	return all, nil
}

// withoutParameters removes the part after a semicolon from each segment.
func withoutParameters(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// clean returns the path that a careful server would use. It keeps a final slash.
func clean(p string) string {
	cleaned := cleanPath(p)
	if cleaned != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, `\`)) {
		cleaned += "/"
	}
	return cleaned
}
