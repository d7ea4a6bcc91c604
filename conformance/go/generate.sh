#!/bin/sh
# Makes a Go module in FOLDER that holds the stubs of the contract under the import path of the official client.
#
#   sh generate.sh FOLDER
#
# Takes Go 1.24 or newer, Python with grpcio-tools (which carries protoc), and this repository's node_modules.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../node_modules/clarifai-nodejs-grpc
google=$(dirname "$(dirname "$(dirname "$(find "$here/../../node_modules" -path '*/google/api/annotations.proto' | head -n 1)")")")
builtin=$(python3 -c 'import grpc_tools, os; print(os.path.join(os.path.dirname(grpc_tools.__file__), "_proto"))')
name=github.com/Clarifai/clarifai-go-grpc

mkdir -p "$1/client"
cd "$1"
GOBIN=$PWD/bin go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
GOBIN=$PWD/bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
rest=google.golang.org/genproto/googleapis/api/annotations
lent=Mgoogle/api/annotations.proto=$rest,Mgoogle/api/http.proto=$rest
(cd "$protos" && find proto -name '*.proto' ! -name '*_processed.proto') |
  PATH=$PWD/bin:$PATH xargs python3 -m grpc_tools.protoc -I "$protos" -I "$builtin" -I "$google" \
    --go_out=client --go_opt="module=$name,$lent" --go-grpc_out=client --go-grpc_opt="module=$name,$lent"
[ -f client/go.mod ] || (cd client && go mod init "$name")
[ -f go.mod ] || go mod init main_job
(cd client && go mod tidy)
go mod edit -require "$name@v0.0.0" -replace "$name=./client"
