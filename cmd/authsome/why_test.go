package main

import (
	"testing"
	"time"
)

func TestWhyShowsExpiry(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later, earlier := now.Add(3*time.Hour), now.Add(-time.Hour)
	for _, tt := range []struct {
		state connectionView
		want  string
	}{
		{connectionView{Name: "work", Status: "connected"}, "work, connected"},
		{connectionView{Name: "work", Status: "connected", ExpiresAt: &later, Renewable: true}, "work, connected, expires in 3 hours, refreshed automatically"},
		{connectionView{Name: "work", Status: "connected", ExpiresAt: &later}, "work, connected, expires in 3 hours"},
		{connectionView{Name: "work", Status: "connected", ExpiresAt: &earlier, Renewable: true}, "work, connected, expired 1 hour ago, refreshed when used"},
		{connectionView{Name: "work", Status: "expired", ExpiresAt: &earlier}, "work, expired 1 hour ago"},
	} {
		if got := tt.state.sentence(now); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
