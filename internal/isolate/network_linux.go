package isolate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setUpNetwork makes every address of the network namespace one of its loopback
// interface, which is its only interface.
func setUpNetwork() error {
	if err := raiseLoopback(); err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	if err := addAddress(); err != nil {
		return fmt.Errorf("address of the loopback interface: %w", err)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	if err := addLocalDefault(unix.AF_INET, lo.Index); err != nil {
		return fmt.Errorf("route for IPv4: %w", err)
	}
	addLocalDefault(unix.AF_INET6, lo.Index) // it fails if IPv6 is off; then such connections fail too
	return nil
}

func raiseLoopback() error {
	return changeInterface("lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return nil
	})
}

// addAddress gives the loopback interface an address that is not a loopback one. Without
// it, getaddrinfo finds no IPv4 address for programs that ask with AI_ADDRCONFIG, as
// Boost.Asio does: they want addresses only if the machine has one that reaches others.
func addAddress() error {
	return changeInterface("lo:1", unix.SIOCSIFADDR, func(r *unix.Ifreq) error {
		return r.SetInet4Addr(ownAddress.AsSlice())
	})
}

// ownAddress is in the range of [Names], after the addresses that they give to names.
var ownAddress = netip.AddrFrom4([4]byte{198, 19, 255, 254})

// changeInterface makes an ioctl request of netdevice(7) about an interface.
func changeInterface(name string, request uint, set func(*unix.Ifreq) error) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := set(r); err != nil {
		return err
	}
	return unix.IoctlIfreq(s, request, r)
}

// addLocalDefault adds the route "local default" on an interface, by rtnetlink(7).
func addLocalDefault(family, index int) error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	attribute := unix.RtAttr{Len: unix.SizeofRtAttr + 4, Type: unix.RTA_OIF}
	size := unix.SizeofNlMsghdr + unix.SizeofRtMsg + int(attribute.Len)
	header := unix.NlMsghdr{Len: uint32(size), Type: unix.RTM_NEWROUTE, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL, Seq: 1}
	route := unix.RtMsg{Family: uint8(family), Table: unix.RT_TABLE_LOCAL, Protocol: unix.RTPROT_BOOT, Scope: unix.RT_SCOPE_HOST, Type: unix.RTN_LOCAL}
	var b []byte
	for _, part := range []any{header, route, attribute, uint32(index)} {
		if b, err = binary.Append(b, binary.NativeEndian, part); err != nil {
			return err
		}
	}
	if err := unix.Sendto(s, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, os.Getpagesize())
	n, _, err := unix.Recvfrom(s, answer, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil {
		return err
	}
	if len(messages) != 1 || messages[0].Header.Type != unix.NLMSG_ERROR || len(messages[0].Data) < int(unsafe.Sizeof(int32(0))) {
		return errors.New("the kernel did not answer as expected")
	}
	if code := int32(binary.NativeEndian.Uint32(messages[0].Data)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// sockets are what the stage passes on: first one of each kind, then as many as the plan
// says.
type sockets struct {
	files []*os.File
}

// The order in which sockets are passed on.
const (
	proxySocket  = iota // a listener at the address of the proxy
	udpDNSSocket        // port 53 of every address
	tcpDNSSocket
	otherSockets // the listeners for captured ports, those of Listen, the spare ones, and those for refusals
)

// open makes the sockets.
func (s *sockets) open(p *plan) error {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return allowAnySource(c) }}
	listen := func(network, address string) error {
		l, err := config.Listen(context.Background(), network, address)
		if err != nil {
			return err
		}
		defer l.Close()
		return s.add(l.(*net.TCPListener).File())
	}
	if err := listen("tcp4", p.Proxy.String()); err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	defer udp.Close()
	if err := s.add(udp.(*net.UDPConn).File()); err != nil {
		return err
	}
	if err := listen("tcp", ":53"); err != nil {
		return err
	}
	for _, port := range p.Ports {
		if err := listen("tcp", ":"+strconv.Itoa(port)); err != nil {
			return err
		}
	}
	for _, a := range p.Listen {
		if err := listen("tcp", a.String()); err != nil {
			return err
		}
	}
	for range p.Spare {
		for _, family := range spareFamilies {
			fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6
				fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			}
			if err != nil {
				return fmt.Errorf("spare socket: %w", err)
			}
			s.files = append(s.files, os.NewFile(uintptr(fd), "spare"))
		}
	}
	refusals, err := refusalSockets()
	if err != nil {
		return err
	}
	s.files = append(s.files, refusals...)
	return nil
}

// add keeps a descriptor. Its argument are the results of a method File.
func (s *sockets) add(f *os.File, err error) error {
	if err == nil {
		s.files = append(s.files, f)
	}
	return err
}

func (s *sockets) fds() []int {
	var fds []int
	for _, f := range s.files {
		fds = append(fds, int(f.Fd()))
	}
	return fds
}

func (s *sockets) close() {
	for _, f := range s.files {
		f.Close()
	}
}

// spareFamilies are the kinds of TCP sockets of which there is one for each spare
// connection. One socket for both would not do: connecting it by IPv4 changes it for good.
var spareFamilies = [...]int{unix.AF_INET, unix.AF_INET6}
