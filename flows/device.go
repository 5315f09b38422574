package flows

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/authsome/authsome/secret"
)

// DeviceAuthorization is a device grant that waits for the user (RFC 8628). All
// but the code of the device is for the user to see.
type DeviceAuthorization struct {
	DeviceCode              secret.String
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string // with the user code in it; empty if there is none
	Scopes                  []string
	ExpiresAt               time.Time
	Interval                time.Duration
}

const (
	deviceInterval = 5 * time.Second  // RFC 8628 section 3.2: the default, and what slow_down adds
	deviceLife     = 15 * time.Minute // where the server forgets to say
	maxInterval    = 2 * time.Minute
)

// DeviceAuthorize begins a device grant. A confidential client authenticates, as
// it does at the token endpoint (RFC 8628 section 3.1).
func (c *Config) DeviceAuthorize(ctx context.Context, scopes []string) (DeviceAuthorization, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	o := c.Definition.OAuth
	e, err := c.endpoint("device_authorization_url", o.DeviceURL, c.found().DeviceURL)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	if c.clientID() == "" {
		return DeviceAuthorization{}, fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
	}
	form := make(url.Values)
	scopes = c.allowed(scopes)
	c.addScopes(form, scopes)
	if err := c.addResource(form); err != nil {
		return DeviceAuthorization{}, err
	}
	if err := c.add(form, "device_params", o.DeviceParams); err != nil {
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

func (a *answer) device(now time.Time) (DeviceAuthorization, error) {
	d := DeviceAuthorization{
		UserCode: printable(a.text([]string{"user_code"}), 64),
		// Google spells the second one; RFC 8628 grew out of its draft.
		VerificationURI:         a.text([]string{"verification_uri", "verification_url"}),
		VerificationURIComplete: a.text([]string{"verification_uri_complete", "verification_url_complete"}),
		Interval:                deviceInterval,
	}
	d.DeviceCode, _ = a.token([]string{"device_code"})
	// The user is sent there: only to a web page, and a secure one.
	for _, u := range []*string{&d.VerificationURI, &d.VerificationURIComplete} {
		if *u == "" {
			continue
		}
		parsed, err := parseEndpoint(*u)
		if err != nil {
			return DeviceAuthorization{}, protocolError(a.status, "the address for the user: %w", err)
		}
		*u = parsed.String()
	}
	if d.DeviceCode.IsZero() || d.UserCode == "" || d.VerificationURI == "" {
		return DeviceAuthorization{}, protocolError(a.status, "no code or no address for the user in the answer")
	}
	seconds, _ := a.number([]string{"expires_in"})
	if d.ExpiresAt = in(now, seconds); d.ExpiresAt.IsZero() {
		d.ExpiresAt = now.Add(deviceLife)
	}
	d.Interval = a.interval(deviceInterval)
	return d, nil
}

// interval is what the server wants between two polls, or absent.
func (a *answer) interval(absent time.Duration) time.Duration {
	n, ok := a.number([]string{"interval"})
	if !ok || n <= 0 {
		return absent
	}
	if n >= maxInterval.Seconds() {
		return maxInterval
	}
	return time.Duration(n * float64(time.Second))
}

// DevicePoll waits until the user has decided. It ends with a token, when the
// user refuses or the code expires (Permanent, access_denied or expired_token),
// with another refusal, or at once when ctx is done.
func (c *Config) DevicePoll(ctx context.Context, d DeviceAuthorization) (Token, error) {
	c, err := c.ready(ctx)
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
		t, err := c.devicePoll(ctx, e, d.DeviceCode)
		failed, ok := errors.AsType[*TokenError](err)
		switch {
		case err == nil:
			return t, c.complete(t)
		case ctx.Err() != nil:
			return Token{}, ctx.Err()
		case !ok:
			return Token{}, err
		case failed.Code == "authorization_pending":
			backoff = 0
		case failed.Code == "slow_down":
			// RFC 8628 section 3.5: for this and all later polls. GitHub says how much.
			interval, backoff = min(max(interval+deviceInterval, failed.RetryAfter), maxInterval), 0
		case failed.Kind == Transient || failed.Kind == Ambiguous:
			// Section 3.5: on a time-out, double. The endpoint being down is no different.
			backoff = min(max(2*max(interval, backoff), failed.RetryAfter), maxInterval)
		default:
			return Token{}, err
		}
	}
}

func (c *Config) devicePoll(ctx context.Context, e endpoint, code secret.String) (Token, error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code.Reveal()}}
	return c.token(ctx, e, form, "token_params", c.Definition.OAuth.TokenParams, []string{code.Reveal()})
}

// sleep waits for d, but not beyond the end of the code.
func (c *Config) sleep(ctx context.Context, d time.Duration, end time.Time) error {
	left := end.Sub(c.now())
	timer := time.NewTimer(min(d, max(left, 0)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if d >= left {
		return &TokenError{Kind: Permanent, Code: "expired_token", Err: errors.New("the code was not used in time")}
	}
	return nil
}
