package routing

import (
	"testing"

	"github.com/authsome/authsome/providers"
)

func BenchmarkRequest(b *testing.B) {
	set, err := providers.Load(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	google, err := set.Lookup("google")
	if err != nil {
		b.Fatal(err)
	}
	many, err := newTable([]*providers.Definition{google}, []Binding{bind("google", "default")}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	few := fixture(b, Options{}, bind("one", "default"), bind("one-path", "default"), bind("wild", "default"))
	for _, bb := range []struct {
		name, host, path string
		table            *Table
	}{
		{"plain", "api.one.com", "/v2/chat/completions", few},
		{"escaped", "api.one.com", "/v2/files/a%2Fb%20c", few},
		{"endpoints", "www.googleapis.com", "/calendar/v3/calendars/primary/events", many},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := bb.table.Request("GET", bb.host, 443, bb.path); d.Action != Inject {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}
