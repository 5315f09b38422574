package flows_test

import (
	"errors"
	"testing"

	"github.com/authsome/authsome/flows"
)

func TestPastedAddresses(t *testing.T) {
	const (
		state    = "the-state"
		redirect = "http://127.0.0.1:7999/callback"
	)
	a := flows.Authorization{State: state}
	for _, test := range []struct {
		address string
		good    bool
	}{
		{redirect + "?code=c&state=" + state, true},
		{redirect + "?state=" + state + "&code=c#x", true},
		{redirect + "?code=c&state=other", false},
		{redirect + "?code=c", false},
		{redirect + "?state=" + state, false},
		{"http://127.0.0.1:7998/callback?code=c&state=" + state, false},
		{"http://127.0.0.1:7999/other?code=c&state=" + state, false},
		{"https://127.0.0.1:7999/callback?code=c&state=" + state, false},
		{"http://evil.test/callback?code=c&state=" + state, false},
		{"code", false},
		{"", false},
	} {
		values, err := a.Answer(redirect, test.address)
		if test.good != (err == nil) || test.good && values.Get("code") != "c" || !test.good && !errors.Is(err, flows.ErrNotAnswer) {
			t.Errorf("%q: %v, %v", test.address, values, err)
		}
	}
}
