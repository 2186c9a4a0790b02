using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/preference.cu.</summary>
internal sealed class Preference(KernelLibrary library)
{
    private readonly CudaFunction sums = library.Function("preference", "preference_sums");
    private readonly CudaFunction weights = library.Function("preference", "preference_weights");

    /// <inheritdoc cref="IKernels.PreferenceSums"/>
    public void Sums(CudaStream stream, in PreferenceSumsArguments call) =>
        sums.Launch(
            stream,
            new((int)Up(call.Rows, 128), 128),
            At(call.Targets),
            At(call.Sequences),
            At(call.Statistics),
            At(call.Pairs),
            call.Rows,
            (long)call.Stride
        );

    /// <inheritdoc cref="IKernels.PreferenceWeights"/>
    public void Weights(CudaStream stream, in PreferenceWeightsArguments call) =>
        weights.Launch(
            stream,
            new((int)Up(call.Rows, 128), 128),
            At(call.Targets),
            At(call.Sequences),
            At(call.Pairs),
            At(call.Weights),
            call.Rows
        );
}
