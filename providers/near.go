package providers

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/near"
)

// notFound is the error for a name that no provider has. It proposes what a person may
// have meant: a provider that has the name as a word, else the one that covers it as a
// host, else a category, else a provider with a similar name or alias.
func (s *Set) notFound(name string) *NotFoundError {
	lower := strings.ToLower(name)
	if found := s.byWord(lower); found != "" {
		return &NotFoundError{Name: name, Near: found}
	}
	if found := s.byHost(lower); found != "" {
		return &NotFoundError{Name: name, Near: found}
	}
	if category := categoryOf(lower); category != "" {
		return &NotFoundError{Name: name, Category: category}
	}
	return &NotFoundError{Name: name, Near: s.spelled(lower)}
}

// spelled returns the provider with the name or alias that is most similar to name, or
// "".
func (s *Set) spelled(name string) string {
	if len(name) < 4 {
		return "" // one letter is too large a part of it
	}
	names := slices.Collect(maps.Keys(s.byName))
	for alias := range aliases() {
		if len(alias) >= 4 {
			names = append(names, alias)
		}
	}
	found := nearest(name, names)
	if s.byName[found] == nil {
		found = aliases()[found]
	}
	if s.byName[found] == nil {
		return ""
	}
	return found
}

// byWord returns the provider that has word in its name or display name. If several have
// it, it returns the one with the shortest name that begins with it, or "".
func (s *Set) byWord(word string) string {
	if len(word) < 2 || commonWords[word] {
		return ""
	}
	var found []string
	for _, d := range s.All() {
		if slices.Contains(words(d.Name+" "+d.DisplayName), word) {
			found = append(found, d.Name)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	found = slices.DeleteFunc(found, func(name string) bool { return !strings.HasPrefix(name, word) })
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
	if len(found) == 0 || len(found) > 1 && len(found[0]) == len(found[1]) {
		return ""
	}
	return found[0]
}

// byHost returns the provider that covers a host, or another host of its domain. If several
// do, it returns the one that has the name of the domain as a word, or "".
func (s *Set) byHost(host string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	found, same := make(map[string]bool), make(map[string]bool)
	for _, d := range s.All() {
		for _, h := range d.hosts {
			covered := strings.TrimPrefix(h.pattern.host, ".")
			if own, err := publicsuffix.EffectiveTLDPlusOne(covered); err != nil || own != domain {
				continue
			}
			same[d.Name] = true
			if covered == host {
				found[d.Name] = true
			}
		}
	}
	for _, names := range []map[string]bool{found, same} {
		if name := only(maps.Keys(names), func(string) bool { return true }); name != "" {
			return name
		}
	}
	label, _, _ := strings.Cut(domain, ".")
	if name := s.Resolve(label); same[name] {
		return name
	}
	return ""
}

// commonWords are in the names of providers, and mean none of them.
var commonWords = map[string]bool{
	"access": true, "account": true, "ai": true, "api": true, "app": true, "auth": true, "by": true, "bot": true, "cloud": true, "data": true,
	"dashboard": true, "integration": true, "internal": true, "key": true, "labs": true, "level": true, "management": true, "mcp": true,
	"only": true, "or": true, "pat": true, "personal": true, "platform": true, "private": true, "programmatic": true, "project": true,
	"protected": true, "resource": true, "search": true, "server": true, "service": true, "site": true, "studio": true, "to": true,
	"token": true, "user": true, "web": true, "workspace": true,
}

// words are the words of a text, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" .,-_()", r) })
}

// categoryWords are what people call the services of a category, other than the
// category's name.
var categoryWords = map[string]string{
	"ai": "llm", "llms": "llm", "model": "llm", "models": "llm", "inference": "llm", "embeddings": "llm", "speech": "llm",
	"web-search": "search", "scraping": "search", "crawl": "search", "crawler": "search",
	"git": "dev", "code": "dev", "repo": "dev", "repository": "dev", "ci": "dev", "monitoring": "dev", "logs": "dev", "packages": "dev",
	"notes": "productivity", "docs": "productivity", "tasks": "productivity", "todo": "productivity", "tickets": "productivity", "issues": "productivity",
	"calendar": "productivity", "meetings": "productivity", "spreadsheet": "productivity", "spreadsheets": "productivity", "design": "productivity",
	"sales": "crm", "leads": "crm", "contacts": "crm",
	"analytics": "data", "database": "data", "db": "data", "vector": "data", "vectors": "data", "warehouse": "data", "weather": "data", "scraper": "data",
	"email": "mail", "emails": "mail", "newsletter": "mail", "smtp": "mail",
	"hosting": "cloud", "deploy": "cloud", "dns": "cloud", "kubernetes": "cloud",
	"payment": "payments", "billing": "payments", "invoices": "payments", "accounting": "payments", "shop": "payments", "ecommerce": "payments",
	"chat": "comms", "sms": "comms", "phone": "comms", "messaging": "comms", "video-call": "comms",
	"video": "media", "music": "media", "streaming": "media",
	"hiring": "recruiting", "jobs": "recruiting", "ats": "recruiting",
	"helpdesk": "support", "oncall": "support", "incidents": "support",
	"workflow": "automation", "workflows": "automation", "identity": "security", "sso": "security", "malware": "security",
}

// categoryOf returns the category of services that a word in lower case means, or "".
func categoryOf(word string) string {
	if slices.Contains(Categories[:], word) {
		return word
	}
	return categoryWords[word]
}

// nearest returns the candidate that is most similar to name. It returns "" if more than
// a third of name is different in all of them.
func nearest(name string, candidates []string) string {
	return near.Nearest(name, candidates, max(1, len(name)/3))
}
