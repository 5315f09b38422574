package sidecar

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Usage counts what the clients of a sidecar did, for a report at its end. The zero
// value has counted nothing. It is safe for concurrent use.
type Usage struct {
	mu   sync.Mutex // guards all below
	seen int        // exchanges of any kind
	asks int        // requests on intercepted connections

	injected tally[string]
	refused  tally[intercept.Code]
	failed   tally[intercept.Code]
	blocked  tally[string]
	fenced   tally[string] // connections that an isolated run may not make, by host:port
	own      tally[string] // requests with the client's own credential, by provider
	placed   tally[string] // requests with a placeholder, by provider
	without  tally[Without]
	served   tally[string]         // requests on intercepted connections, by host
	unused   tally[string]         // connections without a request, by host
	answers  map[connectionKey]int // the status of the last answer to a request with that credential
}

// Without is a reason why requests to the hosts of a provider got no credential.
type Without struct {
	Provider string
	Reason   routing.Reason
}

// Count is how often something happened.
type Count[T any] struct {
	What T
	N    int
}

// Report is what a [Usage] has counted. Its lists begin with what happened most often.
type Report struct {
	Seen       bool                    // the proxy was used, for whatever host
	Requests   int                     // on intercepted connections
	Injected   []Count[string]         // requests that got a credential, by provider
	Refused    []Count[intercept.Code] // requests that the proxy refused
	Failed     []Count[intercept.Code] // requests on intercepted connections that the service did not answer
	Blocked    []Count[string]         // connections to hosts that may not be reached, by host
	NotAllowed []Count[string]         // connections that the fence of an isolated run stopped, by host:port, or address:port if they named no host
	Own        []Count[string]         // requests whose own credential was replaced, by provider, if none had a placeholder
	Without    []Count[Without]        // requests to the hosts of a provider that got no credential
	Unused     []Count[string]         // hosts to which connections were intercepted that all ended before a request
	Rejected   []Rejected              // credentials whose last answer was a 401, by name
}

// Rejected names a connection.
type Rejected struct{ Provider, Connection string }

// usageLimit bounds the hosts that are counted one by one: clients choose them.
const usageLimit = 64

// manyHosts counts the hosts beyond usageLimit.
const manyHosts = "other hosts"

// tally counts how often each value occurred.
type tally[T comparable] map[T]int

func (t *tally[T]) add(v T) {
	if *t == nil {
		*t = make(tally[T])
	}
	(*t)[v]++
}

// addHost counts a host, as far as there is room.
func addHost(t *tally[string], host string) {
	if _, known := (*t)[host]; !known && len(*t) >= usageLimit {
		host = manyHosts
	}
	t.add(host)
}

// count adds a finished exchange.
func (u *Usage) count(x *intercept.Exchange) {
	if x.Stranger || x.Host == intercept.SelfHost {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen++
	switch x.Kind {
	case intercept.KindUnused:
		addHost(&u.unused, x.Host)
		return
	case intercept.KindRequest:
		u.asks++
		addHost(&u.served, x.Host)
	}
	switch {
	case x.Injected:
		u.countInjected(x)
	case x.Code == intercept.CodeHostDenied || x.Code == intercept.CodePrivateTarget:
		addHost(&u.blocked, x.Host)
		return
	case x.Code == intercept.CodeNotAllowed || x.Code == intercept.CodeTargetUnknown:
		addHost(&u.fenced, net.JoinHostPort(x.Host, strconv.Itoa(x.Port)))
		return
	case x.Code == "" && x.Kind == intercept.KindRequest && x.Provider != "":
		u.without.add(Without{x.Provider, x.Reason})
	}
	switch x.Code {
	case "":
	case intercept.CodeUpstreamUnreachable, intercept.CodeUpstreamTLS, intercept.CodeUpstreamTimeout:
		if x.Kind == intercept.KindRequest {
			u.failed.add(x.Code)
		}
	default:
		u.refused.add(x.Code)
	}
}

// countInjected adds a request that got a credential. The caller holds mu.
func (u *Usage) countInjected(x *intercept.Exchange) {
	u.injected.add(x.Provider)
	switch x.Presented {
	case providers.PresentedOwn:
		u.own.add(x.Provider)
	case providers.PresentedPlaceholder:
		u.placed.add(x.Provider)
	}
	if x.Code != "" {
		return
	}
	if u.answers == nil {
		u.answers = make(map[connectionKey]int)
	}
	u.answers[connectionKey{x.Provider, x.Connection}] = x.Status
}

// Report returns what was counted so far.
func (u *Usage) Report() Report {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := Report{
		Seen: u.seen > 0, Requests: u.asks, Injected: u.injected.counts(strings.Compare), Refused: u.refused.counts(cmp.Compare),
		Failed: u.failed.counts(cmp.Compare), Blocked: u.blocked.counts(strings.Compare), NotAllowed: u.fenced.counts(strings.Compare), Own: u.own.counts(strings.Compare),
		Without: u.without.counts(func(a, b Without) int {
			return cmp.Or(strings.Compare(a.Provider, b.Provider), cmp.Compare(a.Reason, b.Reason))
		}),
		Unused: u.unused.counts(strings.Compare),
	}
	r.Own = slices.DeleteFunc(r.Own, func(c Count[string]) bool { return u.placed[c.What] > 0 })
	r.Unused = slices.DeleteFunc(r.Unused, func(c Count[string]) bool { return u.served[c.What] > 0 })
	for key, status := range u.answers {
		if status == http.StatusUnauthorized {
			r.Rejected = append(r.Rejected, Rejected{key.provider, key.name})
		}
	}
	slices.SortFunc(r.Rejected, func(a, b Rejected) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Connection, b.Connection))
	})
	return r
}

// counts lists a tally, sorted by number and then with compare.
func (t tally[T]) counts(compare func(a, b T) int) []Count[T] {
	var all []Count[T]
	for _, v := range slices.SortedFunc(maps.Keys(t), compare) {
		all = append(all, Count[T]{v, t[v]})
	}
	slices.SortStableFunc(all, func(a, b Count[T]) int { return cmp.Compare(b.N, a.N) })
	return all
}
