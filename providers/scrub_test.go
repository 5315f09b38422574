package providers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/secret"
)

// scrubbed returns a body as a client gets it.
func scrubbed(i *Injection, body string) string {
	f := i.Mask().Body(false)
	if f == nil {
		return body
	}
	defer f.Close()
	text := string(f.Write([]byte(body)))
	return text + string(f.Rest())
}

// For each bundled definition, a response that repeats the whole request shows no
// secret, and every value that is not one.
func TestBundledSecretsAreMaskedAndNothingElse(t *testing.T) {
	var withOther []string // definitions that inject values that are not secret
	for _, d := range bundledSet(t).All() {
		values := sampleValues(t, d)
		for name, v := range values {
			derived := slices.ContainsFunc(d.Params, func(p Param) bool { return p.From == name })
			switch {
			case !d.secret(name) || keyFile(v.Reveal()):
			case derived: // from its end
				values[name] = secret.New("kEy+0123456789" + v.Reveal())
			default:
				values[name] = secret.New("kEy+" + name + "+0123456789")
			}
			if d.Param(name) == nil && name == nameAPIKey {
				delete(values, name)
			}
		}
		i, err := d.Injection(Credential{Values: values})
		if err != nil {
			t.Fatal(err)
		}
		other := false
		for _, in := range d.Inject {
			for _, m := range in.templates() {
				for _, name := range names(m.text) {
					other = other || !d.secret(name)
				}
			}
		}
		if other {
			withOther = append(withOther, d.Name)
		}
		checkEcho(t, d, i, values)
	}
	if len(withOther) < 11 {
		t.Errorf("only %v inject values that are not secret", withOther)
	}
}

func checkEcho(t *testing.T, d *Definition, i *Injection, values Values) {
	t.Helper()
	var pairs []string
	composed := []string{}
	for name, v := range values {
		pairs = append(pairs, name+"="+v.Reveal())
	}
	for _, in := range d.Inject {
		if in.In == InBasic {
			c := &compiler{d: d, values: values}
			user, _ := c.expand("", in.Username)
			password, _ := c.expand("", in.Password)
			composed = append(composed, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(user+":"+password)), "="))
			pairs = append(pairs, composed[len(composed)-1])
		}
	}
	echo, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	body := scrubbed(i, string(echo))
	head, _ := i.Mask().Head(string(echo))
	var got []string
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(body) != len(echo) {
		t.Errorf("%s: the masked body is %s: %v", d.Name, body, err)
	}
	for where, text := range map[string]string{"body": strings.Join(got, " "), "head": head} {
		for name, v := range values {
			value := v.Reveal()
			if keyFile(value) || value == "" {
				continue
			}
			if shown := strings.Contains(text, name+"="+value); shown == d.secret(name) {
				t.Errorf("%s, %s: %s is shown: %v\n%s", d.Name, where, name, shown, text)
			}
		}
		for _, c := range composed {
			if strings.Contains(text, c) {
				t.Errorf("%s, %s: a composed value is shown: %s", d.Name, where, text)
			}
		}
	}
}

// A credential that belongs in the URL is a placeholder in heads, and one for a
// header has its own length. Values that are not secret are never touched.
func TestMaskReplacesURLCredentialsByPlaceholders(t *testing.T) {
	d := define(t, `,"paths":["/bot"],"inject":[{"in":"path","prefix":"/bot","value":"{api_key}"},{"in":"query","name":"k","value":"{api_key}"},{"in":"query","name":"v","value":"2026","if_absent":true},{"in":"query","name":"lang","value":"english"}]`)
	if _, err := d.Injection(Credential{Values: values("api_key", "12:a b/c")}); err == nil {
		t.Fatal("a key with a slash was accepted as a path segment")
	}
	i, err := d.Injection(Credential{Values: values("api_key", "12:a b+c")})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"https://x.test/bot12:a%20b+c/getMe?k=12%3Aa+b%2Bc&v=2026&lang=english": "https://x.test/bot" + PlaceholderMark + "/getMe?k=" + PlaceholderMark + "&v=2026&lang=english",
		"/next?k=12%3aa+b%2bc": "/next?k=" + PlaceholderMark,
		"12:a b+c":             PlaceholderMark,
		"/other?k=12":          "/other?k=12",
	} {
		if got, _ := i.Mask().Head(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	i, err = define(t, "").Injection(Credential{Values: values("api_key", "sk-0123456789")})
	if got, _ := i.Mask().Head("Bearer sk-0123456789"); err != nil || got != "Bearer aaaaaaaaaaaaa" {
		t.Error(got, err)
	}
}

// The service is asked for a body that is not encoded, if the body is searched for
// secrets. In a signed request, the signature covers that. A request that gets no
// credential asks for what its client asked for.
func TestIdentityIsAskedForWhereBodiesAreSearched(t *testing.T) {
	for key, want := range map[string]string{"sk-0123456789": "identity", "abc": "gzip"} {
		i, err := define(t, "").Injection(Credential{Values: values("api_key", key)})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("GET", "https://api.sample.com/", nil)
		r.Header["accept-encoding"] = []string{"br"}
		r.Header.Set("Accept-Encoding", "gzip")
		if err := i.ApplyMasked(r); err != nil || r.Header.Get("Accept-Encoding") != want || want == "identity" && len(r.Header) != 2 {
			t.Errorf("%s: %v, %v", key, r.Header, err)
		}
	}
}

func TestSignatureCoversIdentity(t *testing.T) {
	d := define(t, `,"params":[{"name":"id"},{"name":"key","secret":true}],"inject":[{"in":"sigv4","access_key":"{id}","secret_key":"{key}"}]`)
	i, err := d.Injection(Credential{Values: values("id", "AKIAIOSFODNN7EXAMPLE", "key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "https://api.sample.com/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	if err := i.ApplyMasked(r); !errors.Is(err, ErrUnsigned) || r.Header.Get("Accept-Encoding") != "gzip" || len(r.Header) != 1 {
		t.Errorf("an unsigned request: %v, %v", r.Header, err)
	}
	i.signer.now = func() time.Time { return time.Unix(1767225600, 0) }
	signature := func(apply func(*http.Request) error, encoding string) string {
		r, _ := http.NewRequest("GET", "https://api.sample.com/", nil)
		r.Header.Set("Accept-Encoding", encoding)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=accept-encoding;host, Signature=0")
		if err := apply(r); err != nil {
			t.Fatal(err)
		}
		return r.Header.Get("Authorization")
	}
	if got, want := signature(i.ApplyMasked, "gzip"), signature(i.Apply, "identity"); got != want || !strings.Contains(got, "accept-encoding") {
		t.Errorf("%s, want %s", got, want)
	}
}

// Of a short secret, the value that is composed of it is long enough for bodies.
func TestComposedValueOfShortSecretIsMasked(t *testing.T) {
	for inject, echo := range map[string]string{
		`{"in":"basic","username":"{user}","password":"{api_key}"}`:                        basic("somebody:short"),
		`{"in":"header","name":"Authorization","value":"Token user={user} key={api_key}"}`: "Token user=somebody key=short",
	} {
		i, err := define(t, keyParam+`,"inject":[`+inject+`]`).Injection(Credential{Values: values("api_key", "short", "user", "somebody")})
		if err != nil {
			t.Fatal(err)
		}
		if got := scrubbed(i, echo+" short somebody"); strings.Contains(got, strings.TrimRight(echo, "=")) || !strings.HasSuffix(got, " short somebody") {
			t.Error(got)
		}
	}
}

// Of a signer's values, the ID of the access key is not secret.
func TestSignerMasksSecretKeyAndSessionToken(t *testing.T) {
	d := define(t, `,"params":[{"name":"id"},{"name":"key","secret":true},{"name":"session","secret":true,"optional":true}],
		"inject":[{"in":"sigv4","access_key":"{id}","secret_key":"{key}","session_token":"{session}"}]`)
	i, err := d.Injection(Credential{Values: values("id", "AKIAIOSFODNN7EXAMPLE", "key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session", "FwoGZXIvYXdzEBYaDH+token==")})
	if err != nil {
		t.Fatal(err)
	}
	const echo = `<Error><AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId><Token-0>FwoGZXIvYXdzEBYaDH+token==</Token-0>wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY</Error>`
	if got := scrubbed(i, echo); strings.Contains(got, "FwoG") || strings.Contains(got, "wJalr") || !strings.Contains(got, "AKIAIOSFODNN7EXAMPLE") {
		t.Error(got)
	}
}

// A definition can turn masking off, with a reason. A secret in a URL is a placeholder
// in heads even so.
func TestScrubCanBeTurnedOffWithAReason(t *testing.T) {
	off := `,"scrub":"off","scrub_reason":"the dashboard shows the key"`
	d := define(t, off+`,"inject":[{"in":"query","name":"k","value":"{api_key}"}]`)
	i, err := d.Injection(Credential{Values: values("api_key", "sk-0123456789")})
	if err != nil || i.Mask().Bodies() {
		t.Fatalf("bodies are masked, %v", err)
	}
	if got, _ := i.Mask().Head("/x?k=sk-0123456789"); got != "/x?k="+PlaceholderMark {
		t.Error(got)
	}
	r, _ := http.NewRequest("GET", "https://api.sample.com/", nil)
	if err := i.ApplyMasked(r); err != nil || r.Header.Get("Accept-Encoding") != "" {
		t.Errorf("asked for %q, %v", r.Header.Get("Accept-Encoding"), err)
	}
	i, err = define(t, off).Injection(Credential{Values: values("api_key", "sk-0123456789")})
	if got, n := i.Mask().Head("Bearer sk-0123456789"); err != nil || n != 0 {
		t.Error(got, err)
	}
	var warned bool
	for _, w := range d.Warnings() {
		warned = warned || w.Field == "scrub" && strings.Contains(w.Reason, "the dashboard shows the key")
	}
	if !warned {
		t.Errorf("warnings: %v", d.Warnings())
	}
	for more, field := range map[string]string{
		`,"scrub":"off"`:                       "scrub_reason",
		`,"scrub":"off","scrub_reason":""`:     "scrub_reason",
		`,"scrub_reason":"for no reason"`:      "scrub_reason",
		`,"scrub":"heads","scrub_reason":"so"`: "scrub",
		`,"scrub":false,"scrub_reason":"so"`:   "scrub",
	} {
		_, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["api_key"],"hosts":["api.sample.com"]` + more + `}`))
		if e, ok := err.(*FieldError); !ok || e.Field != field {
			t.Errorf("%s: %v", more, err)
		}
	}
}

// A definition that turns masking off has no effect on a connection until a person
// accepts it. One that turns it on has an effect at once.
func TestScrubOffWaitsForAPerson(t *testing.T) {
	on, off := define(t, ""), define(t, `,"scrub":"off","scrub_reason":"so"`)
	if w := widening(on, off); w.Empty() {
		t.Error("turning masking off adds nothing")
	}
	if w := widening(off, on); !w.Empty() {
		t.Errorf("turning masking on adds %v", w.Changes)
	}
	more := define(t, `,"methods":["GET"]`)
	more.Hosts, more.hosts = append(more.Hosts, "other.sample.com"), append(more.hosts, more.hosts[0])
	if r := off.restrictedTo(more); r.Scrub != "" {
		t.Error("the older definition leaves masking off")
	}
}
