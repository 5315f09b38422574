package flows

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/authsome/authsome/secret"
)

// DeviceAuthorization is a device grant that waits for the user's approval (RFC 8628). All
// of it except the device code may be shown to the user.
type DeviceAuthorization struct {
	DeviceCode              secret.String
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string // contains the user code; empty if the server sends none
	Scopes                  []string
	ExpiresAt               time.Time
	Interval                time.Duration
}

const (
	deviceInterval = 5 * time.Second  // the default, and what slow_down adds (RFC 8628 sections 3.2 and 3.5)
	deviceLife     = 15 * time.Minute // of a code whose lifetime the server does not send
	maxInterval    = 2 * time.Minute
)

// DeviceAuthorize starts a device grant. A confidential client authenticates as at the
// token endpoint (RFC 8628 section 3.1).
func (c *Config) DeviceAuthorize(ctx context.Context, scopes []string) (DeviceAuthorization, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	o := c.Definition.OAuth
	e, err := c.endpoint("device_authorization_url", o.DeviceURL, c.discovered().DeviceURL)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	if c.clientID() == "" && (o.DeviceClient == "" || o.DeviceClient == "required") {
		return DeviceAuthorization{}, fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
	}
	form := make(url.Values)
	scopes = c.RequestedScopes(scopes)
	c.addScopes(form, scopes)
	if err := c.addResource(form); err != nil {
		return DeviceAuthorization{}, err
	}
	if err := c.addParams(form, "device_params", o.DeviceParams); err != nil {
		return DeviceAuthorization{}, err
	}
	a, err := c.post(ctx, e, form, nil)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	d, err := a.device(c.now())
	d.Scopes = scopes
	return d, err
}

// device reads the answer of the device authorization endpoint.
func (a *answer) device(now time.Time) (DeviceAuthorization, error) {
	d := DeviceAuthorization{
		UserCode: printable(a.text([]string{"user_code"}), 64),
		// Google uses the second name, from a draft of RFC 8628.
		VerificationURI:         a.text([]string{"verification_uri", "verification_url"}),
		VerificationURIComplete: a.text([]string{"verification_uri_complete", "verification_url_complete"}),
		Interval:                deviceInterval,
	}
	d.DeviceCode, _ = a.token([]string{"device_code"})
	// The user opens these addresses, so they must be https pages.
	for _, u := range []*string{&d.VerificationURI, &d.VerificationURIComplete} {
		if *u == "" {
			continue
		}
		parsed, err := parseEndpoint(*u)
		if err != nil {
			return DeviceAuthorization{}, protocolError(a.status, "the verification address: %w", err)
		}
		*u = parsed.String()
	}
	if d.DeviceCode.IsZero() || d.UserCode == "" || d.VerificationURI == "" {
		return DeviceAuthorization{}, protocolError(a.status, "the answer lacks a code or the verification address")
	}
	d.ExpiresAt = now.Add(deviceLife)
	if n, ok := a.number([]string{"expires_in"}); ok && n > 0 {
		d.ExpiresAt = expiryIn(now, n)
	}
	d.Interval = a.interval(deviceInterval)
	return d, nil
}

// interval returns the time that the server requires between two polls, or fallback.
func (a *answer) interval(fallback time.Duration) time.Duration {
	n, ok := a.number([]string{"interval"})
	if !ok || n <= 0 {
		return fallback
	}
	if n >= maxInterval.Seconds() {
		return maxInterval
	}
	return time.Duration(n * float64(time.Second))
}

// DevicePoll polls the token endpoint until the user has decided. It returns a token, or a
// Permanent error if the user refuses (access_denied) or the code expires (expired_token),
// or another refusal. It returns at once when ctx is done.
func (c *Config) DevicePoll(ctx context.Context, d DeviceAuthorization) (Token, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Token{}, err
	}
	e, err := c.tokenEndpoint()
	if err != nil {
		return Token{}, err
	}
	interval, backoff := d.Interval, time.Duration(0)
	if interval <= 0 {
		interval = deviceInterval
	}
	for {
		if err := c.sleep(ctx, max(interval, backoff), d.ExpiresAt); err != nil {
			return Token{}, err
		}
		t, err := c.pollOnce(ctx, e, d.DeviceCode)
		failed, ok := errors.AsType[*TokenError](err)
		switch {
		case err == nil:
			return t, c.checkComplete(t)
		case ctx.Err() != nil:
			return Token{}, ctx.Err()
		case !ok:
			return Token{}, err
		case failed.Code == "authorization_pending":
			backoff = 0
		case failed.Code == "slow_down":
			// For this and all later polls (RFC 8628 section 3.5). GitHub sends the new interval.
			interval, backoff = min(max(interval+deviceInterval, failed.RetryAfter), maxInterval), 0
		case failed.Kind == Transient || failed.Kind == Ambiguous:
			// After a time-out, double the wait (section 3.5), also if the endpoint is down.
			backoff = min(max(2*max(interval, backoff), failed.RetryAfter), maxInterval)
		default:
			return Token{}, err
		}
	}
}

func (c *Config) pollOnce(ctx context.Context, e endpoint, code secret.String) (Token, error) {
	hidden := []string{code.Reveal()}
	if c.Definition.OAuth.DeviceTokenBody == "json" {
		// Not RFC 8628: Postiz, for example, takes the code alone.
		a, err := c.sendForm(ctx, e, formRequest{form: url.Values{"device_code": hidden}, hidden: hidden, asJSON: true})
		if err != nil {
			return Token{}, err
		}
		return c.readToken(a)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": hidden}
	return c.requestToken(ctx, e, form, hidden)
}

// sleep waits for d. If the code expires before that, it fails at that time.
func (c *Config) sleep(ctx context.Context, d time.Duration, expires time.Time) error {
	left := expires.Sub(c.now())
	timer := time.NewTimer(min(d, max(left, 0)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if d >= left {
		return &TokenError{Kind: Permanent, Code: "expired_token", Err: errors.New("the code expired before the login was approved")}
	}
	return nil
}
