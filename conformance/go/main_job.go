// The main job with the Go client github.com/Clarifai/clarifai-go-grpc over gRPC, against a running server. That client is
// the stubs of the contract and nothing else; generate.sh makes the same ones from the proto files of the Node client,
// where a registry does not serve the module.
//
//	sh generate.sh /tmp/clarifai-go && cp main_job.go /tmp/clarifai-go && cd /tmp/clarifai-go && go mod tidy
//	CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=token go run main_job.go
//
// Ends with 0 when every step did what the contract says.
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log"
	"math"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/Clarifai/clarifai-go-grpc/proto/clarifai/api"
	"github.com/Clarifai/clarifai-go-grpc/proto/clarifai/api/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const (
	size     = 160
	each     = 8
	patience = 2 * time.Minute
)

var kinds = []string{"rings", "checks"}

type job struct {
	client api.V2Client
	ctx    context.Context
	app    *api.UserAppIDSet
}

func main() {
	log.SetFlags(0)
	base := need("CLARIFAI_API_BASE")
	host := strings.TrimRight(base[strings.Index(base, "://")+3:], "/")
	connection, err := grpc.NewClient(host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	fine(err)
	defer connection.Close()
	j := job{
		client: api.NewV2Client(connection),
		ctx:    metadata.AppendToOutgoingContext(context.Background(), "Authorization", "Key "+need("CLARIFAI_PAT")),
		app:    &api.UserAppIDSet{UserId: need("CLARIFAI_USER_ID"), AppId: fmt.Sprintf("go-%08x", time.Now().UnixNano()&0xffffffff)},
	}
	owner := &api.UserAppIDSet{UserId: j.app.UserId}
	made, err := j.client.PostApps(j.ctx, &api.PostAppsRequest{
		UserAppId: owner,
		Apps:      []*api.App{{Id: j.app.AppId, DefaultWorkflowId: "General"}},
	})
	well(made, err)
	j.upload()
	j.label()
	version := j.train()
	j.predict(version)
	j.stream(version)
	j.search()
	gone, err := j.client.DeleteApp(j.ctx, &api.DeleteAppRequest{UserAppId: j.app})
	well(gone, err)
	j.refused()
	fmt.Println("ok")
}

func (j job) upload() {
	request := &api.PostInputsRequest{UserAppId: j.app, InputsAddJobId: "all"}
	for _, kind := range kinds {
		for seed := range each {
			request.Inputs = append(request.Inputs, &api.Input{Id: fmt.Sprintf("%s-%d", kind, seed), Data: picture(kind, seed)})
		}
	}
	made, err := j.client.PostInputs(j.ctx, request)
	well(made, err)
	must(len(made.Inputs) == 2*each, "%d inputs made", len(made.Inputs))
	until(func() bool {
		reply, err := j.client.GetInputsAddJob(j.ctx, &api.GetInputsAddJobRequest{UserAppId: j.app, Id: "all"})
		well(reply, err)
		return reply.InputsAddJob.Progress.SuccessCount == 2*each
	})
	all, err := j.client.ListInputs(j.ctx, &api.ListInputsRequest{UserAppId: j.app, Page: 1, PerPage: 100})
	well(all, err)
	must(len(all.Inputs) == 2*each, "%d inputs listed", len(all.Inputs))
}

func (j job) label() {
	labels := &api.PostAnnotationsRequest{UserAppId: j.app}
	members := &api.PostDatasetInputsRequest{UserAppId: j.app, DatasetId: "kinds"}
	for _, kind := range kinds {
		for seed := range each {
			id := fmt.Sprintf("%s-%d", kind, seed)
			labels.Annotations = append(labels.Annotations, &api.Annotation{
				InputId: id,
				Data:    &api.Data{Concepts: []*api.Concept{{Id: kind, Value: 1}}},
			})
			members.DatasetInputs = append(members.DatasetInputs, &api.DatasetInput{Input: &api.Input{Id: id}})
		}
	}
	labelled, err := j.client.PostAnnotations(j.ctx, labels)
	well(labelled, err)
	datasets, err := j.client.PostDatasets(j.ctx, &api.PostDatasetsRequest{UserAppId: j.app, Datasets: []*api.Dataset{{Id: "kinds"}}})
	well(datasets, err)
	joined, err := j.client.PostDatasetInputs(j.ctx, members)
	well(joined, err)
}

func (j job) train() string {
	models, err := j.client.PostModels(j.ctx, &api.PostModelsRequest{
		UserAppId: j.app,
		Models:    []*api.Model{{Id: "kinds", ModelTypeId: "embedding-classifier"}},
	})
	well(models, err)
	concepts := []*api.Concept{{Id: kinds[0]}, {Id: kinds[1]}}
	made, err := j.client.PostModelVersions(j.ctx, &api.PostModelVersionsRequest{
		UserAppId: j.app,
		ModelId:   "kinds",
		ModelVersions: []*api.ModelVersion{{
			TrainInfo: &api.TrainInfo{Dataset: &api.Dataset{Id: "kinds"}},
			OutputInfo: &api.OutputInfo{
				Data:         &api.Data{Concepts: concepts},
				OutputConfig: &api.OutputConfig{ConceptsMutuallyExclusive: true},
			},
		}},
	})
	well(made, err)
	id := made.Model.ModelVersion.Id
	until(func() bool {
		reply, err := j.client.GetModelVersion(j.ctx, &api.GetModelVersionRequest{UserAppId: j.app, ModelId: "kinds", VersionId: id})
		well(reply, err)
		now := reply.ModelVersion.Status
		must(now.Code == status.StatusCode_MODEL_TRAINED || now.Code == status.StatusCode_MODEL_QUEUED_FOR_TRAINING ||
			now.Code == status.StatusCode_MODEL_TRAINING, "training ended with %v", now)
		return now.Code == status.StatusCode_MODEL_TRAINED
	})
	return id
}

func (j job) asked(version string) *api.PostModelOutputsRequest {
	request := &api.PostModelOutputsRequest{UserAppId: j.app, ModelId: "kinds", VersionId: version}
	for _, kind := range kinds {
		request.Inputs = append(request.Inputs, &api.Input{Data: picture(kind, 200)})
	}
	return request
}

func judge(outputs []*api.Output) {
	must(len(outputs) == len(kinds), "%d outputs", len(outputs))
	for i, output := range outputs {
		surest := output.Data.Concepts[0]
		must(surest.Id == kinds[i], "%s predicted as %v", kinds[i], surest)
	}
}

func (j job) predict(version string) {
	reply, err := j.client.PostModelOutputs(j.ctx, j.asked(version))
	well(reply, err)
	judge(reply.Outputs)
}

// Both sides of this call are streams.
func (j job) stream(version string) {
	calls, err := j.client.StreamModelOutputs(j.ctx)
	fine(err)
	for range 2 {
		fine(calls.Send(j.asked(version)))
		reply, err := calls.Recv()
		well(reply, err)
		judge(reply.Outputs)
	}
	fine(calls.CloseSend())
	_, err = calls.Recv()
	must(err == io.EOF, "the stream ends with %v", err)
}

func (j job) search() {
	reply, err := j.client.PostInputsSearches(j.ctx, &api.PostInputsSearchesRequest{
		UserAppId: j.app,
		Searches: []*api.Search{{Query: &api.Query{
			Ranks: []*api.Rank{{Annotation: &api.Annotation{Data: picture("rings", 3)}}},
		}}},
		Pagination: &api.Pagination{Page: 1, PerPage: 3},
	})
	well(reply, err)
	must(len(reply.Hits) == 3 && reply.Hits[0].Input.Id == "rings-3", "found %v", reply.Hits)
	must(math.Abs(float64(reply.Hits[0].Score)-1) < 1e-3, "score %v", reply.Hits[0].Score)
}

// What is refused comes as a status of the contract in a reply, never as an error of gRPC.
func (j job) refused() {
	reply, err := j.client.GetApp(j.ctx, &api.GetAppRequest{UserAppId: j.app})
	fine(err)
	must(reply.Status.Code == status.StatusCode_CONN_DOES_NOT_EXIST, "an app that is gone: %v", reply.Status)
}

// A PNG of rings or of checks, in colours, size and place of its own; the same for the same seed.
func picture(kind string, seed int) *api.Data {
	chance := rand.New(rand.NewSource(int64(len(kind)*1000 + seed)))
	shade := func(low, high int) color.RGBA {
		one := func() uint8 { return uint8(low + chance.Intn(high-low)) }
		return color.RGBA{one(), one(), one(), 255}
	}
	light, dark := shade(150, 255), shade(0, 90)
	step := 10 + chance.Intn(12)
	x0, y0 := 50+chance.Intn(60), 50+chance.Intn(60)
	drawn := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			isDark := (x/step+y/step)%2 == 0
			if kind == "rings" {
				isDark = int(math.Hypot(float64(x-x0), float64(y-y0)))%step < step/3
			}
			if isDark {
				drawn.SetRGBA(x, y, dark)
			} else {
				drawn.SetRGBA(x, y, light)
			}
		}
	}
	var file bytes.Buffer
	fine(png.Encode(&file, drawn))
	return &api.Data{Image: &api.Image{Base64: file.Bytes()}}
}

func until(done func() bool) {
	for began := time.Now(); !done(); time.Sleep(100 * time.Millisecond) {
		must(time.Since(began) < patience, "not done in time")
	}
}

func well(reply interface{ GetStatus() *status.Status }, err error) {
	fine(err)
	must(reply.GetStatus().GetCode() == status.StatusCode_SUCCESS, "refused: %v", reply.GetStatus())
}

func fine(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must(holds bool, otherwise string, values ...any) {
	if !holds {
		log.Fatalf(otherwise, values...)
	}
}

func need(name string) string {
	value := os.Getenv(name)
	must(value != "", "%s is not set", name)
	return value
}
