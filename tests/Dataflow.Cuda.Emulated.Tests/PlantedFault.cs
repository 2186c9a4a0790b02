using System.Reflection;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// The catalog with a fault in one of its functions: the arguments that a function gets are not those that were passed, or it does nothing.
/// </summary>
public class PlantedFault : DispatchProxy
{
    private IKernels inner = null!;
    private string kernel = "";
    private Func<object?[], bool> change = _ => true;

    /// <param name="kernel">Name of the function.</param>
    /// <param name="change">Changes arguments in place; false: the call is left out.</param>
    public static Func<IKernels, IKernels> In(string kernel, Func<object?[], bool> change) => inner =>
    {
        var proxy = Create<IKernels, PlantedFault>();
        var fault = (PlantedFault)(object)proxy;
        (fault.inner, fault.kernel, fault.change) = (inner, kernel, change);
        return proxy;
    };

    /// <summary>An argument that is an address or has one, moved by that many bytes; null where it is neither.</summary>
    public static object? Moved(object? argument, int bytes) => argument switch
    {
        nuint address when address != 0 => address + (nuint)(nint)bytes,
        Tensor tensor => tensor with { Address = tensor.Address + (nuint)(nint)bytes },
        WindowRows rows => rows with { Kv = rows.Kv with { Address = rows.Kv.Address + (nuint)(nint)bytes } },
        ChunkContext at when at.FirstKey != 0 => at with { FirstKey = at.FirstKey + (nuint)(nint)bytes },
        UpdateRange range => range with { Gradient = range.Gradient + (nuint)(nint)bytes },
        _ => null,
    };

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name != kernel || change(args!))
        {
            _ = targetMethod.Invoke(inner, BindingFlags.DoNotWrapExceptions, null, args, null);
        }

        return null;
    }
}
