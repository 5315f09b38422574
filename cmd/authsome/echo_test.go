package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

// echo answers with the request's headers, in every part of a response. The query
// names the media type.
func echo(w http.ResponseWriter, r *http.Request) {
	credential := r.Header.Get("Authorization")
	user, password, _ := r.BasicAuth()
	h := w.Header()
	h.Set("X-Echo", credential)
	h.Set("Link", "</next?key="+url.QueryEscape(password)+">; rel=next")
	w.WriteHeader(http.StatusEarlyHints)
	h.Set("Content-Type", r.URL.Query().Get("type"))
	h.Set("Trailer", "X-End")
	text, err := json.Marshal(map[string]any{"headers": r.Header, "user": user, "password": password})
	if err != nil {
		panic(err)
	}
	for _, part := range []string{string(text), "\n\ndata: " + credential + "\n\n", "form=" + url.QueryEscape(credential), "&p=" + url.QueryEscape(url.QueryEscape(password))} {
		io.WriteString(w, part[:len(part)/2])
		http.NewResponseController(w).Flush()
		io.WriteString(w, part[len(part)/2:])
	}
	h.Set("X-End", credential)
}

// An agent whose service repeats the request does not see the credential, in no part of
// a response, over no protocol, and in no form. It sees the account, which is not
// secret. Metrics and audit log count what was masked, and do not have it either.
func TestAgentDoesNotSeeEchoedCredential(t *testing.T) {
	b, s := newBench(t), startService(t)
	s.host, s.answer = "api.twilio.com", echo
	account, key := "AC0123456789abcdef0123456789abcdef", strings.ToLower(rand.Text() + rand.Text())[:32]
	b.more = []string{"TWILIO_ACCOUNT_SID=" + account, "TWILIO_AUTH_TOKEN=" + key}
	b.run("", "login", "twilio", "--no-verify")
	b.more = nil
	cmd, proxy, admin := b.proxy(s.flags()...)
	texts := make(map[string]string)
	for _, http2 := range []bool{false, true} {
		c := client(t, proxy, admin)
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		for _, kind := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "text/event-stream"} {
			var early []textproto.MIMEHeader
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
				early = append(early, h)
				return nil
			}})
			q, err := http.NewRequestWithContext(ctx, "GET", "https://"+s.host+"/?type="+url.QueryEscape(kind), nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || (response.ProtoMajor == 2) != http2 || len(early) != 1 || response.Trailer.Get("X-End") == "" {
				t.Fatalf("%s, %d early responses, trailers %v, %v", response.Proto, len(early), response.Trailer, err)
			}
			response.Body.Close()
			texts[response.Proto+" "+kind] = fmt.Sprint(early, response.Header, string(body), response.Trailer)
			if !strings.Contains(string(body), `"user":"`+account+`"`) {
				t.Errorf("%s: the account is not shown: %s", kind, body)
			}
			if !strings.Contains(string(body), `"Accept-Encoding":["identity"]`) {
				t.Errorf("%s: the service was not asked for an identity body: %s", kind, body)
			}
			if err := json.NewDecoder(strings.NewReader(string(body))).Decode(new(any)); err != nil {
				t.Errorf("%s: the JSON in %s: %v", kind, body, err)
			}
		}
	}
	for _, got := range s.authorizations() {
		if got != "Basic "+base64.StdEncoding.EncodeToString([]byte(account+":"+key)) {
			t.Fatal("the service did not get the credential")
		}
	}
	_, texts["metrics"] = fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	contains(t, "metrics", texts["metrics"], `authsome_echo_masked_total{provider="twilio"} `, `authsome_echo_unscanned_total{provider="twilio"} 0`)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	contains(t, "audit log", b.auditLog(), `"event":"echo_masked"`)
	b.noLeaks(texts, key)
}
