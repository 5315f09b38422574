package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

const planted = "sk-planted-5d41402abc4b2a76"

// holder has secrets in exported and unexported fields. fmt calls no methods on the
// unexported ones.
type holder struct {
	Exported   String
	unexported String
	nested     []map[string]*holder
}

func TestNothingPrints(t *testing.T) {
	s := New(planted)
	h := holder{Exported: s, unexported: s}
	h.nested = []map[string]*holder{{"k": {Exported: s, unexported: s}}}
	var all strings.Builder
	for _, v := range []any{s, &s, h, &h, []String{s}, map[string]String{"k": s}, struct{ s String }{s}, fmt.Errorf("wrapped: %v", s)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10s", "%w"} {
			fmt.Fprintf(&all, verb+"\n", v)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&all, nil), slog.NewJSONHandler(&all, nil)} {
			slog.New(handler).Info("message", "value", v, slog.Group("group", "value", v))
		}
	}
	for _, form := range []string{planted, planted[:12], planted[12:], fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted)} {
		if strings.Contains(all.String(), form) {
			t.Errorf("%q is printed", form)
		}
	}
	if !strings.Contains(all.String(), Redacted) {
		t.Errorf("%q is never printed", Redacted)
	}
}

// Encoding a secret is an error. Encoding nothing would lose the secret silently.
func TestNothingEncodes(t *testing.T) {
	type record struct{ S String }
	v := record{New(planted)}
	encoders := map[string]func() ([]byte, error){
		"encoding/json": func() ([]byte, error) { return json.Marshal(v) },
		"json/v2":       func() ([]byte, error) { return jsonv2.Marshal(v) },
		"xml":           func() ([]byte, error) { return xml.Marshal(v) },
		"gob": func() ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		"map key": func() ([]byte, error) { return json.Marshal(map[String]int{v.S: 1}) },
		"binary":  func() ([]byte, error) { return v.S.MarshalBinary() },
	}
	for name, encode := range encoders {
		b, err := encode()
		if err == nil || !strings.Contains(err.Error(), errMarshal.Error()) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if bytes.Contains(b, []byte(planted)) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s shows the secret", name)
		}
	}
}

func TestReveal(t *testing.T) {
	var zero String
	if New(planted).Reveal() != planted || zero.Reveal() != "" || !zero.IsZero() || !New("").IsZero() || New(planted).IsZero() {
		t.Error("Reveal or IsZero returns a wrong result")
	}
	if !New(planted).Equal(New(strings.Clone(planted))) || New(planted).Equal(New(planted+" ")) || New(planted).Equal(zero) || !zero.Equal(New("")) {
		t.Error("Equal returns a wrong result")
	}
}
