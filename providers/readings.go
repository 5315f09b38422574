package providers

import (
	"net/url"
	"slices"
	"strings"
)

// Readings are the paths, besides the one given, that servers may take it for:
// decoded, by some twice; with backslashes for slashes; without doubled slashes
// and dot segments; and, as Java's servers have it, without what follows a
// semicolon in a segment, which they take out before they look for dots. None
// means that all read it alike. A path that is not well encoded is an error.
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

// withoutParameters is a path without the parameters of its segments.
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

// clean is the path that a careful server would act on. A trailing slash stays.
func clean(p string) string {
	cleaned := cleanPath(p)
	if cleaned != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, `\`)) {
		cleaned += "/"
	}
	return cleaned
}
