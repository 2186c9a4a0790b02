using Dataflow.Model;

namespace Dataflow.Cuda.Kernels;

/// <summary>The entry points of a file of kernels that has two for every activation.</summary>
internal sealed class ActivationFunctions
{
    private readonly Dictionary<Activation, ActivationPair> all = [];

    /// <param name="library">Where the file is.</param>
    /// <param name="file">"gated_activation".</param>
    /// <param name="nameOf">What the file calls an activation: "swi_glu".</param>
    public ActivationFunctions(KernelLibrary library, string file, Func<Activation, string> nameOf)
    {
        foreach (var activation in Enum.GetValues<Activation>())
        {
            string name = nameOf(activation);
            all[activation] = new(library.Rows(file, name + "_forward"), library.Rows(file, name + "_backward"));
        }
    }

    /// <summary>Those of one activation.</summary>
    public ActivationPair this[Activation activation] =>
        all.TryGetValue(activation, out var pair)
            ? pair
            : throw new ArgumentOutOfRangeException(nameof(activation), activation, "no kernel has it");
}

/// <summary>The entry points of one activation.</summary>
internal readonly record struct ActivationPair(RowFunction Forward, RowFunction Backward);
