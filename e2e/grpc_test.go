package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echo is a gRPC service with one method of each kind. Its messages are well-known
// types, so that no generated code is needed.
var echo = grpc.ServiceDesc{
	ServiceName: "e2e.Echo", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := decode(in); err != nil {
			return nil, err
		}
		grpc.SetTrailer(ctx, metadata.Pairs("e2e-trailer", "value"))
		if in.Value == "fail" {
			return nil, status.Error(codes.FailedPrecondition, "as asked")
		}
		return wrapperspb.String("echo " + in.Value), nil
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Server", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			in := new(wrapperspb.StringValue)
			if err := s.RecvMsg(in); err != nil {
				return err
			}
			for n := range 20 {
				if err := s.SendMsg(wrapperspb.String(fmt.Sprint(in.Value, n))); err != nil {
					return err
				}
			}
			return nil
		}},
		{StreamName: "Both", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			for {
				in := new(wrapperspb.StringValue)
				if err := s.RecvMsg(in); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if err := s.SendMsg(wrapperspb.String("echo " + in.Value)); err != nil {
					return err
				}
			}
		}},
	},
}

var grpcServer = func() *grpc.Server {
	s := grpc.NewServer()
	s.RegisterService(&echo, nil)
	s.RegisterService(&details, nil)
	return s
}()

// grpcClient calls each method, through the proxy that gRPC finds in its environment.
func grpcClient() {
	ctx := context.Background()
	c, err := grpc.NewClient("dns:///"+routeHost+":443", grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	check(err)
	var trailer metadata.MD
	out := new(wrapperspb.StringValue)
	check(c.Invoke(ctx, "/e2e.Echo/Unary", wrapperspb.String("one"), out, grpc.Trailer(&trailer)))
	fmt.Println(out.Value, trailer.Get("e2e-trailer"))
	err = c.Invoke(ctx, "/e2e.Echo/Unary", wrapperspb.String("fail"), out)
	fmt.Println(status.Code(err), status.Convert(err).Message())

	server, err := c.NewStream(ctx, &echo.Streams[0], "/e2e.Echo/Server")
	check(err)
	check(server.SendMsg(wrapperspb.String("n")))
	check(server.CloseSend())
	n := 0
	for ; server.RecvMsg(out) == nil; n++ {
	}
	fmt.Println("server stream", n, out.Value)

	both, err := c.NewStream(ctx, &echo.Streams[1], "/e2e.Echo/Both")
	check(err)
	for n := range 20 { // each message only after the reply to the previous one
		check(both.SendMsg(wrapperspb.String(fmt.Sprint(n))))
		check(both.RecvMsg(out))
	}
	check(both.CloseSend())
	fmt.Println("both", out.Value, both.RecvMsg(out) == io.EOF)
}

func TestGRPC(t *testing.T) {
	r := newRig(t)
	want := "echo one [value]\nFailedPrecondition as asked\nserver stream 20 n19\nboth echo 19 true\n"
	if out := r.self("grpc"); out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	all := r.arrivals()
	for _, a := range all {
		if !a.Authorized || a.Proto != "HTTP/2.0" || !strings.HasPrefix(a.Path, "/e2e.Echo/") {
			t.Errorf("arrived: %+v", a)
		}
	}
	if len(all) != 4 {
		t.Errorf("%d calls arrived", len(all))
	}
}
