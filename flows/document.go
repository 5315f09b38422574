package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// maxRedirects bounds the redirects from the place of one document.
const maxRedirects = 5

// search is one discovery.
type search struct {
	*Config
	trusted []string // see trustedHosts
	trouble error    // why the first place that may have a document could not be read; nil if all could
}

// document fetches a JSON object. It returns nil if the place has no such document. It
// follows redirects, each of which must lead to an address that discovery could use itself:
// https, and not on this machine or its network. The new address proves nothing: the
// document must name the issuer or the resource that was asked for, as any other.
func (s *search) document(ctx context.Context, u *url.URL) (*answer, error) {
	a, err := s.fetch(ctx, u)
	if err != nil {
		err = fmt.Errorf("%s: %w", quoted(u.String()), err)
		if s.trouble == nil {
			s.trouble = err
		}
	}
	return a, err
}

func (s *search) fetch(ctx context.Context, u *url.URL) (*answer, error) {
	for range maxRedirects + 1 {
		r, err := send(ctx, request{client: s.discoveryClient(s.trusted), method: http.MethodGet, url: u, header: http.Header{"Accept": {"application/json"}}})
		if err != nil {
			return nil, err
		}
		switch r.status {
		case http.StatusOK:
			object, err := parseObject(r.header.Get("Content-Type"), r.body)
			if err != nil {
				return nil, nil // probably a web page
			}
			return &answer{r.status, r.header, object}, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			if u, err = s.redirected(u, r.header.Get("Location")); err != nil {
				return nil, err
			}
		default:
			if isTransient(r.status) {
				return nil, &TokenError{Kind: Transient, Status: r.status, RetryAfter: retryAfter(r.header, s.now())}
			}
			return nil, nil
		}
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// redirected returns where a redirect from u leads.
func (s *search) redirected(u *url.URL, location string) (*url.URL, error) {
	next, err := u.Parse(location)
	if err != nil || location == "" {
		return nil, errors.New("a redirect without an address")
	}
	next.Fragment, next.RawFragment = "", ""
	if u.Scheme == "https" && next.Scheme != "https" {
		return nil, errors.New("a redirect from https to another scheme")
	}
	if next, err = discoveredEndpoint(next.String(), s.trusted); err != nil {
		return nil, fmt.Errorf("a redirect: %w", err)
	}
	return next, nil
}
