import com.clarifai.channel.ClarifaiChannel;
import com.clarifai.channel.http.ClarifaiHttpClient;
import com.clarifai.credentials.ClarifaiCallCredentials;
import com.clarifai.grpc.api.*;
import com.clarifai.grpc.api.status.Status;
import com.clarifai.grpc.api.status.StatusCode;
import com.google.protobuf.ByteString;
import io.grpc.Channel;
import io.grpc.ManagedChannelBuilder;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;

/**
 * The main job with the official Java client {@code com.clarifai:clarifai-grpc}, against a running server: over
 * gRPC, or over the client's JSON channel, which speaks REST.
 *
 * <pre>
 * mvn -q dependency:copy-dependencies -DoutputDirectory=/tmp/clarifai-java
 * CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=token \
 *     java -cp '/tmp/clarifai-java/*' MainJob.java grpc   # then: json
 * </pre>
 *
 * Ends with 0 when every step did what the contract says.
 */
public class MainJob {
  private static final int SIZE = 160;
  private static final String[] KINDS = {"rings", "checks"};
  private static final long PATIENCE_MS = 120_000;

  private final V2Grpc.V2BlockingStub stub;
  private final UserAppIDSet app;

  private MainJob(V2Grpc.V2BlockingStub stub, UserAppIDSet app) {
    this.stub = stub;
    this.app = app;
  }

  public static void main(String[] args) throws Exception {
    String base = need("CLARIFAI_API_BASE").replaceAll("/+$", "");
    String wire = args.length == 1 ? args[0] : "";
    Channel channel;
    // Once per process: the client ties its methods to the first channel's way of writing messages.
    if (wire.equals("grpc"))
      channel =
          ManagedChannelBuilder.forTarget(base.replaceFirst("^https?://", "")).usePlaintext().build();
    else if (wire.equals("json"))
      channel = ClarifaiChannel.INSTANCE.getJsonChannel(new ClarifaiHttpClient.Default(base));
    else throw new IllegalArgumentException("usage: MainJob grpc|json");
    String appId = "java-" + UUID.randomUUID().toString().substring(0, 8);
    UserAppIDSet app =
        UserAppIDSet.newBuilder().setUserId(need("CLARIFAI_USER_ID")).setAppId(appId).build();
    String apps = base + "/v2/users/" + app.getUserId() + "/apps";
    // By plain HTTP, for the client's JSON channel finds no path for a call that names no app.
    plain("POST", apps, "{\"apps\":[{\"id\":\"" + appId + "\",\"default_workflow_id\":\"General\"}]}");
    try {
      V2Grpc.V2BlockingStub stub = V2Grpc.newBlockingStub(channel);
      String token = need("CLARIFAI_PAT");
      new MainJob(stub.withCallCredentials(new ClarifaiCallCredentials(token)), app).run();
    } finally {
      plain("DELETE", apps + "/" + appId, "");
    }
    System.out.println(wire + ": ok");
    // Channels keep threads of their own.
    System.exit(0);
  }

  private static void plain(String method, String url, String body) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url))
            .header("Authorization", "Key " + need("CLARIFAI_PAT"))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
    HttpResponse<String> reply =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    must(reply.statusCode() == 200, method + " " + url + ": " + reply.body());
  }

  private void run() {
    upload();
    label();
    String versionId = train();
    predict(versionId);
    search();
  }

  private static final int EACH = 8;

  private void upload() {
    String jobId = UUID.randomUUID().toString();
    PostInputsRequest.Builder request =
        PostInputsRequest.newBuilder().setUserAppId(app).setInputsAddJobId(jobId);
    for (String kind : KINDS)
      for (int seed = 0; seed < EACH; seed++)
        request.addInputs(
            Input.newBuilder().setId(kind + "-" + seed).setData(picture(kind, seed)));
    MultiInputResponse made = stub.postInputs(request.build());
    well(made.getStatus());
    must(made.getInputsCount() == 2 * EACH, "16 inputs made, not " + made.getInputsCount());
    until(
        () -> {
          InputsAddJobProgress progress =
              stub.getInputsAddJob(
                      GetInputsAddJobRequest.newBuilder().setUserAppId(app).setId(jobId).build())
                  .getInputsAddJob()
                  .getProgress();
          return progress.getSuccessCount() == 2 * EACH;
        });
    MultiInputResponse listed =
        stub.listInputs(
            ListInputsRequest.newBuilder().setUserAppId(app).setPage(1).setPerPage(100).build());
    well(listed.getStatus());
    must(listed.getInputsCount() == 2 * EACH, listed.getInputsCount() + " inputs listed");
  }

  private void label() {
    PostAnnotationsRequest.Builder labels = PostAnnotationsRequest.newBuilder().setUserAppId(app);
    PostDatasetInputsRequest.Builder members =
        PostDatasetInputsRequest.newBuilder().setUserAppId(app).setDatasetId("kinds");
    for (String kind : KINDS)
      for (int seed = 0; seed < EACH; seed++) {
        String id = kind + "-" + seed;
        labels.addAnnotations(
            Annotation.newBuilder()
                .setInputId(id)
                .setData(Data.newBuilder().addConcepts(Concept.newBuilder().setId(kind).setValue(1))));
        members.addDatasetInputs(
            DatasetInput.newBuilder().setInput(Input.newBuilder().setId(id)));
      }
    well(stub.postAnnotations(labels.build()).getStatus());
    well(
        stub.postDatasets(
                PostDatasetsRequest.newBuilder()
                    .setUserAppId(app)
                    .addDatasets(Dataset.newBuilder().setId("kinds"))
                    .build())
            .getStatus());
    well(stub.postDatasetInputs(members.build()).getStatus());
    List<String> concepts =
        stub.listConcepts(ListConceptsRequest.newBuilder().setUserAppId(app).build())
            .getConceptsList()
            .stream()
            .map(Concept::getId)
            .collect(Collectors.toList());
    must(concepts.containsAll(List.of(KINDS)), "concepts: " + concepts);
  }

  private String train() {
    well(
        stub.postModels(
                PostModelsRequest.newBuilder()
                    .setUserAppId(app)
                    .addModels(
                        Model.newBuilder().setId("kinds").setModelTypeId("embedding-classifier"))
                    .build())
            .getStatus());
    Data.Builder concepts = Data.newBuilder();
    for (String kind : KINDS) concepts.addConcepts(Concept.newBuilder().setId(kind));
    SingleModelResponse made =
        stub.postModelVersions(
            PostModelVersionsRequest.newBuilder()
                .setUserAppId(app)
                .setModelId("kinds")
                .addModelVersions(
                    ModelVersion.newBuilder()
                        .setTrainInfo(
                            TrainInfo.newBuilder().setDataset(Dataset.newBuilder().setId("kinds")))
                        .setOutputInfo(
                            OutputInfo.newBuilder()
                                .setData(concepts)
                                .setOutputConfig(
                                    OutputConfig.newBuilder().setConceptsMutuallyExclusive(true))))
                .build());
    well(made.getStatus());
    String versionId = made.getModel().getModelVersion().getId();
    until(
        () -> {
          Status status =
              stub.getModelVersion(
                      GetModelVersionRequest.newBuilder()
                          .setUserAppId(app)
                          .setModelId("kinds")
                          .setVersionId(versionId)
                          .build())
                  .getModelVersion()
                  .getStatus();
          must(
              status.getCode() == StatusCode.MODEL_TRAINED
                  || status.getCode() == StatusCode.MODEL_QUEUED_FOR_TRAINING
                  || status.getCode() == StatusCode.MODEL_TRAINING,
              "training ended with " + status);
          return status.getCode() == StatusCode.MODEL_TRAINED;
        });
    return versionId;
  }

  private void predict(String versionId) {
    PostModelOutputsRequest.Builder request =
        PostModelOutputsRequest.newBuilder()
            .setUserAppId(app)
            .setModelId("kinds")
            .setVersionId(versionId);
    for (String kind : KINDS) request.addInputs(Input.newBuilder().setData(picture(kind, 200)));
    MultiOutputResponse reply = stub.postModelOutputs(request.build());
    well(reply.getStatus());
    for (int i = 0; i < KINDS.length; i++) {
      Concept surest = reply.getOutputs(i).getData().getConcepts(0);
      must(surest.getId().equals(KINDS[i]), KINDS[i] + " predicted as " + surest);
    }
  }

  private void search() {
    MultiSearchResponse reply =
        stub.postInputsSearches(
            PostInputsSearchesRequest.newBuilder()
                .setUserAppId(app)
                .addSearches(
                    Search.newBuilder()
                        .setQuery(
                            Query.newBuilder()
                                .addRanks(
                                    Rank.newBuilder()
                                        .setAnnotation(
                                            Annotation.newBuilder().setData(picture("rings", 3))))))
                .setPagination(Pagination.newBuilder().setPage(1).setPerPage(3))
                .build());
    well(reply.getStatus());
    List<String> found = new ArrayList<>();
    for (Hit hit : reply.getHitsList()) found.add(hit.getInput().getId());
    must(found.size() == 3 && found.get(0).equals("rings-3"), "found " + found);
    must(Math.abs(reply.getHits(0).getScore() - 1) < 1e-3, "score " + reply.getHits(0).getScore());
  }

  /** A PNG of rings or of checks, in colours, size and place of its own; the same for the same seed. */
  private static Data picture(String kind, int seed) {
    Random chance = new Random(31L * kind.hashCode() + seed);
    BufferedImage image = new BufferedImage(SIZE, SIZE, BufferedImage.TYPE_INT_RGB);
    Graphics2D pen = image.createGraphics();
    pen.setColor(colour(chance, 150, 255));
    pen.fillRect(0, 0, SIZE, SIZE);
    pen.setColor(colour(chance, 0, 90));
    int step = 10 + chance.nextInt(12);
    if (kind.equals("rings")) {
      int x = 50 + chance.nextInt(60);
      int y = 50 + chance.nextInt(60);
      pen.setStroke(new BasicStroke(step / 3f));
      for (int r = step; r < 2 * SIZE; r += step) pen.drawOval(x - r, y - r, 2 * r, 2 * r);
    } else {
      for (int i = 0; i <= SIZE / step; i++)
        for (int j = i % 2; j <= SIZE / step; j += 2) pen.fillRect(i * step, j * step, step, step);
    }
    pen.dispose();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", bytes);
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
    return Data.newBuilder()
        .setImage(Image.newBuilder().setBase64(ByteString.copyFrom(bytes.toByteArray())))
        .build();
  }

  private static Color colour(Random chance, int low, int high) {
    int range = high - low;
    return new Color(
        low + chance.nextInt(range), low + chance.nextInt(range), low + chance.nextInt(range));
  }

  private static void until(BooleanSupplier done) {
    long began = System.currentTimeMillis();
    while (!done.getAsBoolean()) {
      must(System.currentTimeMillis() - began < PATIENCE_MS, "not done in time");
      try {
        Thread.sleep(100);
      } catch (InterruptedException asked) {
        throw new IllegalStateException(asked);
      }
    }
  }

  private static void well(Status status) {
    must(status.getCode() == StatusCode.SUCCESS, "refused: " + status);
  }

  private static void must(boolean holds, String otherwise) {
    if (!holds) throw new IllegalStateException(otherwise);
  }

  private static String need(String name) {
    String value = System.getenv(name);
    must(value != null && !value.isEmpty(), name + " is not set");
    return value;
  }
}
