namespace Dataflow.Cuda;

/// <summary>How a CUDA device runs steps. Results do not depend on it, but for the choices of products.</summary>
public sealed record CudaDeviceSettings
{
    /// <summary>Steps are launched as CUDA graphs: the first is not, and none that is measured or looked into.</summary>
    public bool Graphs { get; init; }

    /// <summary>Told why they are launched op by op after all; null: what cannot be captured is an error.</summary>
    public Action<string>? GraphsRefused { get; init; }

    /// <summary>Which algorithms matrix products have; null: the library's first proposals.</summary>
    public ProductChoices? Products { get; init; }
}
