namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>What a graph is to compute, in plain numbers.</summary>
internal sealed record GraphQuestion
{
    public required bool Backward { get; init; }

    public required bool Ordered { get; init; }

    public required bool WideGradQuery { get; init; }

    public required long Batch { get; init; }

    public required bool Documents { get; init; }

    public required long Heads { get; init; }

    public required long KvHeads { get; init; }

    public required long HeadDim { get; init; }

    public required long Queries { get; init; }

    public required long Keys { get; init; }

    public required long QueryRow { get; init; }

    public required long KeyRow { get; init; }

    public required bool Causal { get; init; }

    public required long? Window { get; init; }

    public required double? Softcap { get; init; }

    public required bool Sink { get; init; }

    public static GraphQuestion Of(CudnnGraph graph)
    {
        var call = graph.Answer.Call;
        return new()
        {
            Backward = call.Pass == Model.CudnnPass.Backward,
            Ordered = graph.Answer.Form == Model.CudnnForm.BackwardOrdered,
            WideGradQuery = call.GradQueryType == Model.DType.Float32,
            Batch = call.Documents ?? call.Sequences,
            Documents = call.Documents is not null,
            Heads = call.Heads,
            KvHeads = call.KvHeads,
            HeadDim = call.HeadDim,
            Queries = call.Queries,
            Keys = call.Keys,
            QueryRow = call.QueryRow ?? ((long)call.Heads * call.HeadDim),
            KeyRow = call.KeyRow ?? (2L * call.KvHeads * call.HeadDim),
            Causal = call.Causal,
            Window = call.Window,
            Softcap = call.Softcap,
            Sink = call.Sink,
        };
    }
}
