using Dataflow.Cuda.Kernels;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>One kernel in its variants by the type of what it works on.</summary>
internal readonly record struct TypedFunction(CudaFunction Float32, CudaFunction BFloat16)
{
    /// <summary>The variant for elements of that type.</summary>
    public CudaFunction this[DType type] => type switch
    {
        DType.Float32 => Float32,
        DType.BFloat16 => BFloat16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "kernels work on fp32 and bf16"),
    };
}

/// <summary>One kernel in its variants by where rows start: on 16 bytes, or anywhere.</summary>
internal readonly record struct AlignedFunction(CudaFunction Aligned, CudaFunction Unaligned)
{
    /// <summary>The variant for such rows.</summary>
    public CudaFunction this[bool aligned] => aligned ? Aligned : Unaligned;
}

/// <summary>
/// One kernel in its variants by type and by where rows start: on 16 bytes, or anywhere, an element at a time (entry points ending in
/// _unaligned).
/// </summary>
internal readonly record struct RowFunction(TypedFunction Aligned, TypedFunction Unaligned)
{
    /// <summary>The variant for rows of so many elements of that type.</summary>
    public CudaFunction this[DType type, long columns] => (Launches.IsAligned(type, columns) ? Aligned : Unaligned)[type];
}

/// <summary>The kernel files of a device, loaded when they are first asked for, and their entry points.</summary>
internal sealed class KernelLibrary(CudaContext context, KernelImages images) : IDisposable
{
    private readonly Dictionary<string, CudaModule> modules = [];

    /// <summary>An entry point of a file: "rms_norm", "rms_norm_forward_bf16".</summary>
    public CudaFunction Function(string file, string name)
    {
        if (!modules.TryGetValue(file, out var module))
        {
            modules[file] = module = images.Load(context, file);
        }

        return module.Function(name);
    }

    /// <summary>The entry points of that name for fp32 and for bf16.</summary>
    public TypedFunction Typed(string file, string name) => new(Function(file, name + "_f32"), Function(file, name + "_bf16"));

    /// <summary>The entry points of that name for rows of any length.</summary>
    public AlignedFunction AnyRows(string file, string name) => new(Function(file, name), Function(file, name + "_unaligned"));

    /// <summary>The entry points of that name for rows of any length of fp32 and of bf16.</summary>
    public RowFunction Rows(string file, string name) =>
        new(Typed(file, name), new(Function(file, name + "_f32_unaligned"), Function(file, name + "_bf16_unaligned")));

    /// <summary>What entry points call a type.</summary>
    public static string Suffix(DType type) => type == DType.Float32 ? "f32" : type.Name().Replace('-', '_');

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var module in modules.Values)
        {
            module.Dispose();
        }
    }
}
