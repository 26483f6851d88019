// Command nodejsprinter is a host for Node programs that does one thing: it prints the program of `pulumi import`, with
// the function that Pulumi's own host calls. The host that can be built from a Go module is too old for that, and newer
// hosts are in modules that have no versions.
//
// An import reads no program and runs none, so the engine asks for nothing else.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/pulumi/pulumi/pkg/v3/codegen/hcl2/syntax"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/pcl"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

type printer struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
}

func (printer) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "0.0.0"}, nil
}

func (printer) GenerateProgram(
	_ context.Context, request *pulumirpc.GenerateProgramRequest,
) (*pulumirpc.GenerateProgramResponse, error) {
	// The loader is the engine: it gives the schema of our plugin.
	loader, err := schema.NewLoaderClient(request.LoaderTarget)
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	parser := syntax.NewParser()
	for path, text := range request.Source {
		if err := parser.ParseFile(strings.NewReader(text), path); err != nil {
			return nil, err
		}
	}
	if parser.Diagnostics.HasErrors() {
		return answer(nil, parser.Diagnostics), nil
	}
	options := []pcl.BindOption{pcl.Loader(schema.NewCachedLoader(loader))}
	if !request.Strict {
		options = append(options, pcl.NonStrictBindOptions()...)
	}
	program, diagnostics, err := pcl.BindProgram(parser.Files, options...)
	if err != nil || program == nil {
		return answer(nil, diagnostics), err
	}
	files, more, err := nodejs.GenerateProgram(program)
	if err != nil {
		return nil, err
	}
	return answer(files, append(diagnostics, more...)), nil
}

func answer(files map[string][]byte, diagnostics hcl.Diagnostics) *pulumirpc.GenerateProgramResponse {
	response := &pulumirpc.GenerateProgramResponse{Source: files}
	for _, diagnostic := range diagnostics {
		response.Diagnostics = append(response.Diagnostics, plugin.HclDiagnosticToRPCDiagnostic(diagnostic))
	}
	return response
}

// engineCheck is how often the engine is asked whether it is still there: it does not end its hosts.
const engineCheck = time.Second

func serve(engine string) error {
	cancel := make(chan bool)
	var once sync.Once
	stop := func() { once.Do(func() { close(cancel) }) }
	if err := rpcutil.Healthcheck(context.Background(), engine, engineCheck, stop); err != nil {
		return err
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, printer{})
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

func main() {
	// The engine's address is the last argument.
	if err := serve(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
