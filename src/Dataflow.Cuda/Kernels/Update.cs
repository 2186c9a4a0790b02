using System.Text;
using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>The optimizer's update: the file of kernels that is named like its rule (kernels/adam_w.cu), with entries by recipe.</summary>
internal sealed class Update
{
    private readonly TypedFunction update;
    private readonly CudaFunction stochastic;
    private readonly CudaFunction master;

    /// <param name="library">Has the file.</param>
    /// <param name="optimizer">Whose updates these are.</param>
    public Update(KernelLibrary library, Optimizer optimizer)
    {
        string file = FileOf(optimizer);
        update = library.Typed(file, file);
        stochastic = library.Function(file, file + "_bf16_sr");
        master = library.Function(file, file + "_bf16_master");
    }

    /// <summary>"adam_w" for AdamW.</summary>
    public static string FileOf(Optimizer optimizer)
    {
        var name = new StringBuilder();
        foreach (char c in optimizer.Rule.ToString())
        {
            _ = name.Append(char.IsUpper(c) && name.Length > 0 ? "_" : "")
                .Append(char.ToLowerInvariant(c));
        }

        return name.ToString();
    }

    /// <inheritdoc cref="IKernels.Update"/>
    public void Run(CudaStream stream, in UpdateArguments call, DevicePointer step)
    {
        var (at, recipe, scale) = (call.Range, call.Recipe, call.Scale);
        var shape = new LaunchShape(
            checked((int)Up(at.Count, PackOf(recipe.Parameters) * 256L)),
            256
        );
        long stride = at.MomentStride / recipe.Moments.Size();
        if (recipe.Master is not null)
        {
            master.Launch(
                stream,
                shape,
                At(at.Master),
                At(at.Gradient),
                At(at.Moments),
                stride,
                At(at.Weights),
                At(call.Norms),
                step,
                at.Count,
                call.NormCount,
                scale.Rate,
                scale.Decay,
                scale.OwnDecay
            );
        }
        else if (recipe.RoundsStochastically)
        {
            stochastic.Launch(
                stream,
                shape,
                At(at.Weights),
                At(at.Gradient),
                At(at.Moments),
                stride,
                At(call.Norms),
                step,
                at.Count,
                call.NormCount,
                scale.Rate,
                scale.Decay,
                scale.OwnDecay,
                at.Object,
                at.FirstElement
            );
        }
        else
        {
            update[recipe.Parameters]
                .Launch(
                    stream,
                    shape,
                    At(at.Weights),
                    At(at.Gradient),
                    At(at.Moments),
                    stride,
                    At(call.Norms),
                    step,
                    at.Count,
                    call.NormCount,
                    scale.Rate,
                scale.Decay,
                scale.OwnDecay
                );
        }
    }
}
