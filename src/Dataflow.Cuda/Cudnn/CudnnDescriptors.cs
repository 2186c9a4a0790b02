using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>
/// Descriptors of the library, made of values: each is created, given its attributes in their order and finalized before the next, as the
/// library wants of what is referred to. They go in the opposite order.
/// </summary>
internal sealed unsafe class CudnnDescriptors : IDisposable
{
    private readonly ICudnnBackend backend;
    private readonly List<nint> made = [];
    private readonly string graph;

    /// <summary>Makes all of a graph.</summary>
    /// <param name="backend">The library, or what writes down what is asked of it.</param>
    /// <param name="graph">What to make.</param>
    /// <exception cref="CudaException">The library refuses one; none is left behind.</exception>
    public CudnnDescriptors(ICudnnBackend backend, CudnnGraph graph)
    {
        (this.backend, this.graph) = (backend, graph.Name);
        try
        {
            foreach (var descriptor in graph.Descriptors)
            {
                _ = Add(descriptor);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The library's descriptor of a place in the graph; it goes with this.</summary>
    public nint this[int place] => made[place];

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = made.Count - 1; i >= 0; i--)
        {
            _ = backend.Destroy(made[i]);
        }

        made.Clear();
    }

    /// <summary>
    /// The elements of an attribute as the library reads them: booleans of 1 byte, enumerants of 4, integers and pointers of 8.
    /// </summary>
    /// <param name="attribute">Of a descriptor.</param>
    /// <param name="descriptors">The library's, by their places.</param>
    public static byte[] Elements(CudnnAttribute attribute, IReadOnlyList<nint> descriptors) =>
        attribute switch
        {
            CudnnAttribute.Integers { Type: CudnnAttributeType.Boolean } of => [.. of.Values.Select(v => checked((byte)v))],
            CudnnAttribute.Integers { Type: CudnnAttributeType.Int64 } of => [.. of.Values.SelectMany(BitConverter.GetBytes)],
            CudnnAttribute.Integers of => [.. of.Values.SelectMany(v => BitConverter.GetBytes(checked((int)v)))],
            CudnnAttribute.Reals { Type: CudnnAttributeType.Double } of => [.. of.Values.SelectMany(BitConverter.GetBytes)],
            CudnnAttribute.Reals of => [.. of.Values.SelectMany(v => BitConverter.GetBytes((float)v))],
            CudnnAttribute.References of => [.. of.Descriptors.SelectMany(d => BitConverter.GetBytes((long)descriptors[d]))],
            _ => throw new ArgumentException($"{attribute.GetType().Name} is no attribute of the library", nameof(attribute)),
        };

    private static int Count(CudnnAttribute attribute) =>
        attribute switch
        {
            CudnnAttribute.Integers of => of.Values.Length,
            CudnnAttribute.Reals of => of.Values.Length,
            CudnnAttribute.References of => of.Descriptors.Length,
            _ => throw new ArgumentException($"{attribute.GetType().Name} is no attribute of the library", nameof(attribute)),
        };

    /// <summary>Makes one more, which may refer to all before it; its place.</summary>
    /// <exception cref="CudaException">The library refuses it.</exception>
    public int Add(CudnnDescriptor descriptor)
    {
        int place = Create(descriptor.Type);
        nint handle = made[place];
        foreach (var attribute in descriptor.Attributes)
        {
            byte[] elements = Elements(attribute, made);
            fixed (byte* first = elements)
            {
                Check(
                    backend.SetAttribute(handle, attribute.Name, attribute.Type, Count(attribute), first),
                    $"setting {attribute.Name} of descriptor {place} ({descriptor.Type})"
                );
            }
        }

        Check(backend.FinalizeDescriptor(handle), $"finalizing descriptor {place} ({descriptor.Type})");
        return place;
    }

    /// <summary>One that the library itself will fill; its place.</summary>
    public int Create(CudnnDescriptorType type)
    {
        nint handle;
        Check(backend.Create(type, &handle), $"creating a {type} descriptor");
        made.Add(handle);
        return made.Count - 1;
    }

    private void Check(CudnnStatus status, string attempt)
    {
        if (status != CudnnStatus.Success)
        {
            throw new CudaException($"{attempt} of {graph} failed: {backend.Explain(status)}", status.ToString());
        }
    }
}
