namespace Dataflow.Cuda;

/// <summary>How a CUDA device runs steps: speed depends on it, results do not.</summary>
public sealed record CudaDeviceSettings
{
    /// <summary>Steps are launched as CUDA graphs: the first is not, and none that is measured or looked into.</summary>
    public bool Graphs { get; init; }

    /// <summary>Told why they are launched op by op after all; null: what cannot be captured is an error.</summary>
    public Action<string>? GraphsRefused { get; init; }
}
