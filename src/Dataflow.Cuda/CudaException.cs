using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>
/// A call of the driver or of a library failed: one sentence says what was attempted, what it answered and, where known, what to do.
/// </summary>
public sealed class CudaException(string message, string status) : MachineException(message)
{
    /// <summary>The status by its name in the library's header: "CUDA_ERROR_OUT_OF_MEMORY".</summary>
    public string Status { get; } = status;
}
