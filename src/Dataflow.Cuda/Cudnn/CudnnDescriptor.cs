using System.Collections.Immutable;

namespace Dataflow.Cuda;

/// <summary>One attribute of a descriptor: name, type, and elements of that type.</summary>
/// <param name="Name">Which attribute.</param>
/// <param name="Type">What its elements are.</param>
public abstract record CudnnAttribute(CudnnAttributeName Name, CudnnAttributeType Type)
{
    /// <summary>Integers, enumerants and booleans (1 and 0).</summary>
    public sealed record Integers(CudnnAttributeName Name, CudnnAttributeType Type, ImmutableArray<long> Values)
        : CudnnAttribute(Name, Type);

    /// <summary>Floating-point numbers.</summary>
    public sealed record Reals(CudnnAttributeName Name, CudnnAttributeType Type, ImmutableArray<double> Values)
        : CudnnAttribute(Name, Type);

    /// <summary>Other descriptors, by their places in the order of creation, all before this one.</summary>
    public sealed record References(CudnnAttributeName Name, ImmutableArray<int> Descriptors)
        : CudnnAttribute(Name, CudnnAttributeType.Descriptor);
}

/// <summary>A descriptor of cuDNN's backend as a value.</summary>
/// <param name="Type">What it describes.</param>
/// <param name="Attributes">In the order in which they are set.</param>
public sealed record CudnnDescriptor(CudnnDescriptorType Type, ImmutableArray<CudnnAttribute> Attributes);
