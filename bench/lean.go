package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// serveLean forwards requests as authsome does, but without checks, routes, vault,
// audit log and metrics. The difference to authsome is the cost of those.
func serveLean(up endpoints) (func(net.Listener) error, []byte, error) {
	leaf, authority, err := serverIdentity("bench lean")
	if err != nil {
		return nil, nil, err
	}
	return newShell(leaf, &lean{via: up.transport()}).serve, authority, nil
}

type lean struct {
	via     http.RoundTripper
	buffers sync.Pool
}

var hopByHop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

func (l *lean) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		if !hopByHop[name] {
			h[name] = values
		}
	}
	h["Authorization"] = []string{credential}
	host := hostOf(r)
	out := &http.Request{
		Method: r.Method, URL: &url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		Host: host, Header: h, Body: r.Body, ContentLength: r.ContentLength,
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	response, err := l.via.RoundTrip(out.WithContext(r.Context()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for name, values := range response.Header {
		if !hopByHop[name] {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(response.StatusCode)
	if err := l.stream(w, response); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// stream copies the body and flushes after every read, except after the last one of
// a body of known length.
func (l *lean) stream(w http.ResponseWriter, response *http.Response) error {
	control := http.NewResponseController(w)
	if response.ContentLength < 0 {
		if err := control.Flush(); err != nil {
			return err
		}
	}
	buffer, ok := l.buffers.Get().(*[]byte)
	if !ok {
		b := make([]byte, 32<<10)
		buffer = &b
	}
	defer l.buffers.Put(buffer)
	var total int64
	for {
		n, err := response.Body.Read(*buffer)
		if n > 0 {
			total += int64(n)
			if _, err := w.Write((*buffer)[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case total != response.ContentLength && n > 0:
			if err := control.Flush(); err != nil {
				return err
			}
		}
	}
}
