using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>kernels/adam_w8_bit.cu: AdamW whose moments are stored as codes, with entries by recipe.</summary>
internal sealed class AdamW8Bit(KernelLibrary library)
{
    private const string File = "adam_w8_bit";
    private const int LaunchElements = 32 * DynamicMap.BlockElements; // of one block of threads
    private readonly TypedFunction update = library.Typed(File, File);
    private readonly CudaFunction stochastic = library.Function(File, File + "_bf16_sr");
    private readonly CudaFunction master = library.Function(File, File + "_bf16_master");

    /// <inheritdoc cref="IKernels.AdamW8Bit"/>
    public void Run(CudaStream stream, in AdamW8BitArguments call, DevicePointer step)
    {
        call.ThrowIfCut();
        var shape = new LaunchShape(checked((int)Up(call.Count, LaunchElements)), 256);
        if (call.Recipe.Master is not null)
        {
            master.Launch(
                stream,
                shape,
                At(call.Master),
                At(call.Gradient),
                At(call.FirstCodes),
                At(call.FirstScales),
                At(call.SecondCodes),
                At(call.SecondScales),
                At(call.Weights),
                At(call.Norms),
                step,
                call.Count,
                call.NormCount,
                call.Scale.Rate,
                call.Scale.Decay,
                call.Scale.OwnDecay
            );
        }
        else if (call.Recipe.RoundsStochastically)
        {
            stochastic.Launch(
                stream,
                shape,
                At(call.Weights),
                At(call.Gradient),
                At(call.FirstCodes),
                At(call.FirstScales),
                At(call.SecondCodes),
                At(call.SecondScales),
                At(call.Norms),
                step,
                call.Count,
                call.NormCount,
                call.Scale.Rate,
                call.Scale.Decay,
                call.Scale.OwnDecay,
                call.Object,
                call.FirstElement
            );
        }
        else
        {
            update[call.Recipe.Parameters]
                .Launch(
                    stream,
                    shape,
                    At(call.Weights),
                    At(call.Gradient),
                    At(call.FirstCodes),
                    At(call.FirstScales),
                    At(call.SecondCodes),
                    At(call.SecondScales),
                    At(call.Norms),
                    step,
                    call.Count,
                    call.NormCount,
                    call.Scale.Rate,
                    call.Scale.Decay,
                    call.Scale.OwnDecay
                );
        }
    }
}
