package isolate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	recordTTL = 60 // in seconds

	// udpSize limits the size of a query over UDP. The answers have at most 512 bytes,
	// which every client accepts, because none has more than one record.
	udpSize = 1232

	// badVersion is the response code for an unknown version of EDNS (RFC 6891 section 9).
	badVersion dnsmessage.RCode = 16

	maxStreams    = 64               // TCP connections at a time
	streamTimeout = 10 * time.Second // for the next query of a TCP connection
	acceptDelay   = 100 * time.Millisecond
)

// ServeUDP answers the queries that arrive at c until c is closed; then it returns nil. It
// sends each answer from the address that the query was sent to, because clients connect
// their sockets to the address of their resolver and take nothing from others. So c, which
// must be a [*net.UDPConn], is bound to a port of all addresses.
func (n *Names) ServeUDP(c net.PacketConn) error {
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("serve DNS: %T is not a UDP socket", c)
	}
	// One of them fails if the socket has only one version of IP.
	err4 := ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true)
	err6 := ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true)
	if err4 != nil && err6 != nil {
		return fmt.Errorf("serve DNS: learn the addresses of queries: %w", errors.Join(err4, err6))
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = allowAnySource(raw)
	}
	if err != nil {
		return fmt.Errorf("serve DNS: answer from any address: %w", err)
	}
	query, control := make([]byte, udpSize), make([]byte, 256)
	for {
		size, controlSize, _, client, err := conn.ReadMsgUDPAddrPort(query, control)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve DNS: %w", err)
		}
		if answer := n.answer(query[:size]); answer != nil {
			// An answer that cannot be sent is lost, as in any network: the client asks again.
			conn.WriteMsgUDPAddrPort(answer, answerFrom(control[:controlSize]), client)
		}
	}
}

// answerFrom returns the control message that sends an answer from the address to which a
// query was sent, given the query's control messages. An IPv4 packet at an IPv6 socket has
// one of each version, and only that of IPv4 can be used to answer: x/net does not write
// IPv4 addresses into one of IPv6.
func answerFrom(control []byte) []byte {
	var v4 ipv4.ControlMessage
	if err := v4.Parse(control); err == nil && v4.Dst != nil {
		return (&ipv4.ControlMessage{Src: v4.Dst}).Marshal()
	}
	var v6 ipv6.ControlMessage
	if err := v6.Parse(control); err == nil && v6.Dst != nil {
		return (&ipv6.ControlMessage{Src: v6.Dst}).Marshal()
	}
	return nil
}

// ServeTCP answers the queries of the connections that l accepts (RFC 7766) until l is
// closed. Then it closes the connections and returns nil.
func (n *Names) ServeTCP(l net.Listener) error {
	ctx, closeAll := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	defer serving.Wait()
	defer closeAll()
	free := make(chan struct{}, maxStreams)
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil && !temporary(err):
			return fmt.Errorf("serve DNS: %w", err)
		case err != nil:
			time.Sleep(acceptDelay)
			continue
		}
		select {
		case free <- struct{}{}:
			serving.Go(func() {
				n.serveStream(ctx, c)
				<-free
			})
		default:
			c.Close()
		}
	}
}

// temporary reports whether an error of Accept is about one connection or the system's
// resources, and not about the listener.
func temporary(err error) bool {
	for _, e := range []syscall.Errno{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// serveStream answers the queries of a TCP connection in their order. Two bytes with its
// length precede each message.
func (n *Names) serveStream(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	for {
		c.SetDeadline(time.Now().Add(streamTimeout))
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := n.answer(query)
		if answer == nil {
			return
		}
		// One write, because some clients expect the length and the message in one segment.
		message := append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := c.Write(message); err != nil {
			return
		}
	}
}

// answer returns the answer to a query, or nil if it is not a query.
func (n *Names) answer(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{
		ID: h.ID, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, CheckingDisabled: h.CheckingDisabled,
		Response: true, RecursionAvailable: true,
	}}
	if h.OpCode != 0 {
		m.RCode = dnsmessage.RCodeNotImplemented
		return pack(m)
	}
	q, opt, err := parseQuery(&p)
	if err != nil {
		m.RCode = dnsmessage.RCodeFormatError
		return pack(m)
	}
	m.Questions = []dnsmessage.Question{q}
	rcode := badVersion
	if ednsVersion(opt) == 0 {
		var body dnsmessage.ResourceBody
		if body, rcode = n.resolve(q); body != nil {
			header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: recordTTL}
			m.Answers = []dnsmessage.Resource{{Header: header, Body: body}}
		}
	}
	m.RCode = rcode & 0xf // SetEDNS0 writes the other bits
	if opt != nil {
		r := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
		r.Header.SetEDNS0(udpSize, rcode, opt.DNSSECAllowed())
		m.Additionals = []dnsmessage.Resource{r}
	}
	return pack(m)
}

var errFormat = errors.New("not one question with at most one OPT record")

// parseQuery reads the question of a query, and the header of its OPT record if it has one.
func parseQuery(p *dnsmessage.Parser) (q dnsmessage.Question, opt *dnsmessage.ResourceHeader, err error) {
	if q, err = p.Question(); err != nil {
		return q, nil, err
	}
	if err := p.SkipQuestion(); err != dnsmessage.ErrSectionDone {
		return q, nil, errFormat
	}
	if err := errors.Join(p.SkipAllAnswers(), p.SkipAllAuthorities()); err != nil {
		return q, nil, err
	}
	for {
		h, err := p.AdditionalHeader()
		if err == dnsmessage.ErrSectionDone {
			return q, opt, nil
		}
		if err != nil {
			return q, nil, err
		}
		if h.Type == dnsmessage.TypeOPT {
			if opt != nil {
				return q, nil, errFormat
			}
			opt = &h
		}
		if err := p.SkipAdditional(); err != nil {
			return q, nil, err
		}
	}
}

// ednsVersion returns the version of EDNS that a query uses, which is in the third byte of
// its OPT record's TTL (RFC 6891 section 6.1.3).
func ednsVersion(opt *dnsmessage.ResourceHeader) byte {
	if opt == nil {
		return 0
	}
	return byte(opt.TTL >> 16)
}

// pack returns nil if m cannot be a message, which no query causes.
func pack(m dnsmessage.Message) []byte {
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
