package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const patternBytes = 8<<20 + 7

// pattern returns random bytes, the same in every process.
func pattern() io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{'e', '2', 'e'}), patternBytes)
}

func hashOf(r io.Reader) string {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	check(err)
	return hex.EncodeToString(sum.Sum(nil))
}

// protocol responds to the paths of these tests, and reports whether it did.
func protocol(w http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/pattern":
		io.Copy(w, pattern())
	case "/hash":
		fmt.Fprint(w, hashOf(r.Body))
	case "/upgrade":
		fmt.Fprintf(w, "upgrade=%q", r.Header["Upgrade"])
	case "/informational":
		// 103 (RFC 8297), then a trailer that was announced and one that was not.
		w.Header().Set("Link", "</early>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "E2e-Announced")
		io.WriteString(w, "body\n")
		check(http.NewResponseController(w).Flush())
		w.Header().Set("E2e-Announced", "one")
		w.Header().Set(http.TrailerPrefix+"E2e-Late", "two")
	default:
		return false
	}
	return true
}

// eachProtocol runs a test for every combination of the protocol between curl and the
// proxy, near, and the protocol between the proxy and the upstream, far.
func eachProtocol(t *testing.T, test func(t *testing.T, r *rig, near, far string)) {
	for _, near := range []string{"--http1.1", "--http2"} {
		for far, offered := range map[string]string{"HTTP/1.1": "http/1.1", "HTTP/2.0": ""} {
			t.Run(near+" to "+far, func(t *testing.T) {
				t.Setenv("E2E_UPSTREAM_ALPN", offered)
				test(t, newRig(t), near, far)
			})
		}
	}
}

// TestInformationalAndTrailers checks that 1xx responses and trailers are forwarded.
func TestInformationalAndTrailers(t *testing.T) {
	eachProtocol(t, func(t *testing.T, r *rig, near, far string) {
		out := r.run(nil, need(t, "curl"), "-fsS", near, "-D", "-", "https://"+routeHost+"/informational")
		got := strings.ToLower(strings.ReplaceAll(out, "\r", ""))
		at := 0
		// curl prints heads, body and trailers in the order in which they arrive.
		for _, want := range []string{" 103", "link: </early>", " 200", "body\n"} {
			i := strings.Index(got[at:], want)
			if i < 0 {
				t.Fatalf("no %q in the right place:\n%s", want, out)
			}
			at += i + len(want)
		}
		for _, want := range []string{"\ne2e-announced: one\n", "\ne2e-late: two\n"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("no %q:\n%s", want, out)
			}
		}
		if strings.Count(got, "link:") != 1 {
			t.Errorf("the field of the 103 is in the final head, too:\n%s", out)
		}
		r.wantOnce(far)
	})
}

// TestOnlyWebSocketUpgrades checks that no other upgrade is forwarded: the proxy
// could not check the requests that follow one.
func TestOnlyWebSocketUpgrades(t *testing.T) {
	for protocol, want := range map[string]string{
		"h2c": "upgrade=[]", "TLS/1.0": "upgrade=[]", "e2e": "upgrade=[]", "websocket, h2c": "upgrade=[]",
		"websocket": `upgrade=["websocket"]`, // the control
	} {
		t.Run(strings.ReplaceAll(protocol, "/", " "), func(t *testing.T) {
			// HTTP/2 does not support upgrades, so the upstream must not offer it.
			t.Setenv("E2E_UPSTREAM_ALPN", "http/1.1")
			r := newRig(t)
			if out := r.run(nil, need(t, "curl"), "-fsS", "--http1.1", "-H", "Connection: Upgrade, HTTP2-Settings", "-H", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
				"-H", "Upgrade: "+protocol, "-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "https://"+routeHost+"/upgrade"); out != want {
				t.Errorf("the upstream saw %s, want %s", out, want)
			}
			r.wantOnce("HTTP/1.1")
		})
	}
}

// TestBytesAreIdentical transfers data in both directions, from and to an intercepted
// host and one that is passed through.
func TestBytesAreIdentical(t *testing.T) {
	want := hashOf(pattern())
	for _, host := range []string{routeHost, otherHost} {
		t.Run(host, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, r *rig, near, _ string) {
				file := filepath.Join(r.tmp, "pattern")
				r.run(nil, need(t, "curl"), "-fsS", near, "-o", file, "https://"+host+"/pattern")
				f, err := os.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if got := hashOf(f); got != want {
					t.Errorf("the download's hash is %s, want %s", got, want)
				}
				if got := r.run(nil, need(t, "curl"), "-fsS", near, "--data-binary", "@"+file, "https://"+host+"/hash"); got != want {
					t.Errorf("the upload's hash is %s, want %s", got, want)
				}
			})
		})
	}
}

// TestStreamsAreNotBufferedToHTTP1 is TestStreamsAreNotBuffered with an upstream that
// does not support HTTP/2.
func TestStreamsAreNotBufferedToHTTP1(t *testing.T) {
	t.Setenv("E2E_UPSTREAM_ALPN", "http/1.1")
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		r := newRig(t)
		if out := strings.TrimSpace(r.self("events", "E2E_PROTO="+proto)); out != proto+" 20" {
			t.Errorf("events over %s: %q", proto, out)
		}
		r.wantOnce("HTTP/1.1")
		if out := strings.TrimSpace(r.self("chunks", "E2E_PROTO="+proto)); out != proto+" 200" {
			t.Errorf("chunks over %s: %q", proto, out)
		}
		r.wantOnce("HTTP/1.1")
	}
}

// details is a gRPC service whose only method fails with a status that has details.
// gRPC sends them in a binary trailer.
var details = grpc.ServiceDesc{
	ServiceName: "e2e.Details", HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Fail", Handler: func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			return err
		}
		st, err := status.New(codes.ResourceExhausted, "100% used, ü").WithDetails(wrapperspb.String("one"), wrapperspb.String("two"))
		check(err)
		return st.Err()
	}}},
}

func detailsClient() {
	c, err := grpc.NewClient("dns:///"+routeHost+":443", grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	check(err)
	st := status.Convert(c.Invoke(context.Background(), "/e2e.Details/Fail", wrapperspb.String("x"), new(wrapperspb.StringValue)))
	fmt.Println(st.Code(), st.Message())
	for _, d := range st.Details() {
		fmt.Println(d.(*wrapperspb.StringValue).Value)
	}
}

func TestGRPCStatusDetails(t *testing.T) {
	r := newRig(t)
	got := strings.Split(strings.TrimSpace(r.self("details")), "\n")
	if want := []string{"ResourceExhausted 100% used, ü", "one", "two"}; !slices.Equal(got, want) {
		t.Errorf("the client got %q, want %q", got, want)
	}
	r.wantOnce("HTTP/2.0")
}
