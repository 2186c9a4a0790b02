using Dataflow.Model;

namespace Dataflow;

/// <summary>What of a model is trained.</summary>
public enum FitMethod
{
    /// <summary>All of it, in the recipe that is the default on a GPU.</summary>
    Full,

    /// <summary>An adapter of rank 16 of every matrix of the layers; the base in bf16.</summary>
    Lora,

    /// <summary>The same adapter; the base's matrices in 4 bits (nf4).</summary>
    QLora,
}

/// <summary>The methods by their names.</summary>
public static class FitMethods
{
    private const int Rank = 16;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<FitMethod> All { get; } = [FitMethod.Full, FitMethod.Lora, FitMethod.QLora];

    /// <summary>As people write it.</summary>
    public static string NameOf(FitMethod method) => method switch
    {
        FitMethod.Full => "full",
        FitMethod.Lora => "LoRA",
        _ => "QLoRA",
    };

    /// <summary>The options of `dataflow train` that ask for it.</summary>
    public static string OptionsOf(FitMethod method) => method switch
    {
        FitMethod.Full => "",
        FitMethod.Lora => $"--lora-rank {Rank}",
        _ => $"--lora-rank {Rank} --base-weights {DType.Nf4.Name()}",
    };

    /// <summary>A model as it is trained so.</summary>
    /// <exception cref="UserErrorException">It cannot be.</exception>
    public static ModelConfig Trained(ModelConfig model, FitMethod method)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (method == FitMethod.Full)
        {
            return model;
        }

        var adapted = model.Adapting(new AdapterConfig { Rank = Rank, Alpha = Rank, Targets = ModuleNames.AllLinear });
        return method == FitMethod.QLora ? adapted.Storing(DType.Nf4) : adapted;
    }
}
