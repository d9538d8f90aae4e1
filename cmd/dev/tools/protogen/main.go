// Command protogen makes messages/*.pb.go from messages/*.proto. It compiles
// the files in Go and runs the pinned protoc-gen-go, so that nothing but Go
// has to be installed.
//
//	cd cmd/dev/tools && go run ./protogen [-check]
//
// With -check it writes nothing and fails when a file is stale.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	check := flag.Bool("check", false, "fail when a generated file is stale, write nothing")
	root := flag.String("root", filepath.Join("..", "..", ".."), "the module's folder")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	response, err := generate(root)
	if err != nil {
		return err
	}
	var stale []error
	for _, f := range response.GetFile() {
		path := filepath.Join(root, f.GetName())
		if !check {
			if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
				return err
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(have, []byte(f.GetContent())) {
			stale = append(stale, fmt.Errorf("%s is stale: run 'go run ./protogen' in cmd/dev/tools", f.GetName()))
		}
	}
	return errors.Join(stale...)
}

func generate(root string) (*pluginpb.CodeGeneratorResponse, error) {
	paths, err := filepath.Glob(filepath.Join(root, "messages", "*.proto"))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(paths))
	for _, p := range paths {
		names = append(names, "messages/"+filepath.Base(p))
	}
	sort.Strings(names)
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{root}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      proto.String("module=github.com/birdwire/birdwire"),
	}
	seen := map[string]bool{}
	var add func(f *descriptorpb.FileDescriptorProto)
	add = func(f *descriptorpb.FileDescriptorProto) {
		if seen[f.GetName()] {
			return
		}
		seen[f.GetName()] = true
		for _, dep := range f.GetDependency() {
			if d := files.FindFileByPath(dep); d != nil {
				add(protoutil.ProtoFromFileDescriptor(d))
			}
		}
		request.ProtoFile = append(request.ProtoFile, f)
	}
	for _, f := range files {
		add(protoutil.ProtoFromFileDescriptor(f))
	}
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	plugin := exec.Command("go", "tool", "protoc-gen-go")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(in), os.Stderr
	out, err := plugin.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-go: %w", err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, errors.New(response.GetError())
	}
	return response, nil
}
