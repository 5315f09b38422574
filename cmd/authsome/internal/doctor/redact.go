package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/mask"
	"github.com/authsome/authsome/providers"
)

// redactor removes from text what a stranger must not read: secrets, hosts that no
// bundled definition has, addresses, paths outside the home, and the names that the user
// chose. The same name becomes the same pseudonym everywhere.
type redactor struct {
	secrets *mask.Mask
	hosts   map[string]string // hosts of bundled definitions, with what they become
	below   []string          // suffixes of hosts of bundled definitions, such as .atlassian.net
	words   []word            // the longest first
	numbers map[string]int    // pseudonyms that were used, by kind
	known   map[string]string // pseudonyms of hosts and addresses
}

// word is a name with its pseudonym.
type word struct{ text, with string }

func newRedactor(definitions []*providers.Definition) *redactor {
	r := &redactor{secrets: mask.New(nil), hosts: map[string]string{"localhost": "localhost"}, numbers: make(map[string]int), known: make(map[string]string)}
	for _, d := range definitions {
		if d.Source != providers.Bundled {
			continue
		}
		for _, host := range d.Hosts {
			host, _, _ = strings.Cut(host, ":")
			label, suffix, _ := strings.Cut(host, ".")
			switch {
			case suffix == "", strings.Contains(suffix, "{"):
			case strings.Contains(label, "{"), label == "*":
				r.below = append(r.below, "."+suffix)
			default:
				r.hosts[host] = host
			}
		}
		for _, endpoint := range d.Endpoints() {
			if u, err := url.Parse(endpoint); err == nil && !strings.Contains(u.Host, "{") {
				r.hosts[u.Hostname()] = u.Hostname()
			}
		}
	}
	return r
}

// hide makes text hide a secret in any usual encoding.
func (r *redactor) hide(secrets []string) {
	var all []mask.Secret
	for _, s := range secrets {
		all = append(all, mask.Secret{Text: s, Placeholder: "<secret>"})
	}
	r.secrets = mask.New(all)
}

// rename makes text show a pseudonym in place of a name. A name of one or two letters
// says nothing and would be found everywhere.
func (r *redactor) rename(name, with string) {
	if utf8.RuneCountInString(name) < 3 || slices.ContainsFunc(r.words, func(w word) bool { return w.text == name }) {
		return
	}
	r.words = append(r.words, word{name, with})
	slices.SortStableFunc(r.words, func(a, b word) int { return cmp.Compare(len(b.text), len(a.text)) })
}

// renameAs is rename with a numbered pseudonym of a kind.
func (r *redactor) renameAs(kind, name string) {
	r.numbers[kind]++
	r.rename(name, fmt.Sprintf("<%s-%d>", kind, r.numbers[kind]))
}

var (
	email   = regexp.MustCompile(`[\w.+%-]+@[\w-]+(\.[\w-]+)+`)
	address = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s"'<>|,;)\]]*`)
	named   = regexp.MustCompile(`\b(host|authority|upstream|target)=("[^"]*"|[^\s"]+)`)
	ip      = regexp.MustCompile(`\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*[0-9A-Fa-f]`)
	host    = regexp.MustCompile(`[A-Za-z0-9_*-]+(\.[A-Za-z0-9_-]+)*(:\d{2,5})?`)
	setting = regexp.MustCompile(`(?i)([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|authorization|cookie)["']?[=:]\s*["']?)(?:(?:bearer|basic|token)\s+)?[^\s"']+`)
	token   = regexp.MustCompile(`[A-Za-z0-9_+=~-]{20,}`)
)

// text returns s without what a stranger must not read.
func (r *redactor) text(s string) string {
	s, _ = r.secrets.Head(s)
	s = address.ReplaceAllStringFunc(s, r.url)
	s = email.ReplaceAllString(s, "<email>")
	s = r.replaceWords(s)
	s = setting.ReplaceAllString(s, "${1}<redacted>")
	s = named.ReplaceAllStringFunc(s, func(s string) string {
		name, value, _ := strings.Cut(s, "=")
		return name + "=" + r.host(strings.Trim(value, `"`))
	})
	s = ip.ReplaceAllStringFunc(s, r.address)
	s = host.ReplaceAllStringFunc(s, func(s string) string {
		name, port, found := strings.Cut(s, ":")
		if !isHostName(name, found) {
			return s
		}
		if found {
			return r.host(name) + ":" + port
		}
		return r.host(name)
	})
	return token.ReplaceAllStringFunc(s, func(s string) string {
		if strings.ContainsFunc(s, unicode.IsDigit) && strings.ContainsFunc(s, unicode.IsLetter) {
			return "<token>"
		}
		return s
	})
}

// url keeps the scheme, the host if it may be shown, and that there is more.
func (r *redactor) url(s string) string {
	scheme, rest, _ := strings.Cut(s, "://")
	authority, path, more := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	authority = authority[strings.LastIndex(authority, "@")+1:]
	name, port, found := strings.Cut(authority, ":")
	if strings.HasPrefix(authority, "[") {
		name, port, found = authority, "", false
	}
	text := scheme + "://" + r.host(name)
	if found {
		text += ":" + port
	}
	if more && path != "" {
		text += "/…"
	}
	return text
}

// host is the name of a host, or a pseudonym. A pseudonym stays what it is.
func (r *redactor) host(name string) string {
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "" || strings.HasPrefix(name, "<") {
		return name
	}
	if at, err := netip.ParseAddr(name); err == nil {
		return r.address(at.String())
	}
	if kept, ok := r.hosts[name]; ok || strings.HasSuffix(name, ".authsome.invalid") {
		return cmp.Or(kept, name)
	}
	for _, suffix := range r.below {
		if strings.HasSuffix(name, suffix) {
			return "*" + suffix
		}
	}
	return r.pseudonym("host", name)
}

// address is an IP address, or a pseudonym unless it is of this machine.
func (r *redactor) address(s string) string {
	at, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	if at.IsLoopback() || at.IsUnspecified() {
		return s
	}
	return r.pseudonym("address", at.String())
}

func (r *redactor) pseudonym(kind, name string) string {
	if r.known[name] == "" {
		r.numbers[kind]++
		r.known[name] = fmt.Sprintf("<%s-%d>", kind, r.numbers[kind])
	}
	return r.known[name]
}

// notHosts are suffixes of the names of files that are domains too, and of our files.
var notHosts = []string{"sh", "md", "py", "zip", "rs", "pl", "so", "cc", "json", "log", "pem", "key", "lock", "turn"}

// privateDomains are top-level domains that networks use although nobody registered them.
var privateDomains = []string{"corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "private", "test"}

// timestamp matches the part of a time in RFC 3339 that looks like a host with a port.
var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d$`)

// isHostName reports whether a word with dots, or one before a port, is the name of a host.
func isHostName(name string, hasPort bool) bool {
	last := name[strings.LastIndex(name, ".")+1:]
	if timestamp.MatchString(name) || slices.Contains(notHosts, last) || !strings.ContainsFunc(last, unicode.IsLetter) {
		return false
	}
	if hasPort {
		return true
	}
	if !strings.Contains(name, ".") {
		return false
	}
	_, public := publicsuffix.PublicSuffix(strings.ToLower(name))
	return public || slices.Contains(privateDomains, strings.ToLower(last))
}

// ownFile matches the names that authsome itself gives to files and directories of a home.
var ownFile = regexp.MustCompile(`^(version|config\.(json|lock)|master\.key(\.next)?|key\.lock|audit(-[0-9TZ.:-]+)?\.log|providers|backups|runs|logs|authsome\.log(\.1)?|` +
	`profiles|metadata\.json|ca\.pem|rejected|locks|[0-9a-f]+\.lock|vault|vault\.(json|lock|lock\.turn)|generation|KEYREGISTRY|MANIFEST|[0-9]+\.sst)$`)

// chosenBelow are the directories of a home whose entries have names that the user chose.
var chosenBelow = []string{"profiles", "providers", "backups", "rejected"}

// file returns the path of a file below the home without names that the user chose. The
// names that authsome gives stay: a connection can have the name "log".
func (r *redactor) file(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if i > 0 && slices.Contains(chosenBelow, parts[i-1]) || !ownFile.MatchString(part) {
			parts[i] = r.replaceWords(part)
		}
	}
	return strings.Join(parts, "/")
}

// replaceWords replaces names where they are whole words.
func (r *redactor) replaceWords(s string) string {
	for _, w := range r.words {
		s = replaceWord(s, w)
	}
	return s
}

func replaceWord(s string, w word) string {
	var b strings.Builder
	for rest := s; ; {
		i := strings.Index(rest, w.text)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		end := i + len(w.text)
		before, _ := utf8.DecodeLastRuneInString(s[:len(s)-len(rest)+i])
		after, _ := utf8.DecodeRuneInString(rest[end:])
		b.WriteString(rest[:i])
		if isWordRune(before) || isWordRune(after) {
			b.WriteString(w.text)
		} else {
			b.WriteString(w.with)
		}
		rest = rest[end:]
	}
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
