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
    private Func<PassedArguments, bool> change = _ => true;

    /// <param name="kernel">Name of the function.</param>
    /// <param name="change">Changes arguments in place; false: the call is left out.</param>
    public static Func<IKernels, IKernels> In(string kernel, Func<PassedArguments, bool> change) => inner =>
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
        if (targetMethod!.Name != kernel || change(new PassedArguments(targetMethod, args!)))
        {
            _ = targetMethod.Invoke(inner, BindingFlags.DoNotWrapExceptions, null, args, null);
        }

        return null;
    }
}

/// <summary>What a function of the catalog is called with, by name: the properties of its record, or its own parameters.</summary>
public sealed class PassedArguments(MethodInfo function, object?[] passed)
{
    /// <summary>Names and types of what a function takes.</summary>
    public static IEnumerable<(string Name, Type Type)> Of(MethodInfo function) =>
        RecordOf(function) is { } record
            ? record.GetProperties().Where(p => p.CanWrite).Select(p => (p.Name, p.PropertyType))
            : function.GetParameters().Select(p => (p.Name!, p.ParameterType));

    /// <summary>All names.</summary>
    public IEnumerable<string> Names => Of(function).Select(a => a.Name);

    /// <summary>An argument.</summary>
    public object? this[string name]
    {
        get => RecordOf(function) is { } record ? record.GetProperty(name)!.GetValue(passed[0]) : passed[At(name)];
        set
        {
            if (RecordOf(function) is { } record)
            {
                record.GetProperty(name)!.SetValue(passed[0], value); // the record is boxed: this is the one that is passed on
            }
            else
            {
                passed[At(name)] = value;
            }
        }
    }

    private static Type? RecordOf(MethodInfo function) =>
        function.GetParameters() is [{ ParameterType: var type }] && (type.GetElementType() ?? type) is var record
            && record.IsAssignableTo(typeof(IKernelArguments))
            ? record
            : null;

    private int At(string name) => Array.FindIndex(function.GetParameters(), p => p.Name == name);
}
