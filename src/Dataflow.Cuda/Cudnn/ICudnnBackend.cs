using Dataflow.Cuda.Interop;

namespace Dataflow.Cuda;

/// <summary>The functions of cuDNN's backend that make descriptors, so that a test can write down what is asked of them.</summary>
internal unsafe interface ICudnnBackend
{
    /// <summary>cudnnBackendCreateDescriptor.</summary>
    CudnnStatus Create(CudnnDescriptorType type, nint* descriptor);

    /// <summary>cudnnBackendSetAttribute.</summary>
    CudnnStatus SetAttribute(nint descriptor, CudnnAttributeName name, CudnnAttributeType type, long count, void* elements);

    /// <summary>cudnnBackendFinalize.</summary>
    CudnnStatus FinalizeDescriptor(nint descriptor);

    /// <summary>cudnnBackendDestroyDescriptor.</summary>
    CudnnStatus Destroy(nint descriptor);

    /// <summary>What a status means, with what the library says of its last failure.</summary>
    string Explain(CudnnStatus status);
}

/// <summary>The library's own.</summary>
internal sealed unsafe class CudnnBackend : ICudnnBackend
{
    /// <inheritdoc/>
    public CudnnStatus Create(CudnnDescriptorType type, nint* descriptor) => CudnnApi.cudnnBackendCreateDescriptor(type, descriptor);

    /// <inheritdoc/>
    public CudnnStatus SetAttribute(nint descriptor, CudnnAttributeName name, CudnnAttributeType type, long count, void* elements) =>
        CudnnApi.cudnnBackendSetAttribute(descriptor, name, type, count, elements);

    /// <inheritdoc/>
    public CudnnStatus FinalizeDescriptor(nint descriptor) => CudnnApi.cudnnBackendFinalize(descriptor);

    /// <inheritdoc/>
    public CudnnStatus Destroy(nint descriptor) => CudnnApi.cudnnBackendDestroyDescriptor(descriptor);

    /// <inheritdoc/>
    public string Explain(CudnnStatus status) => StatusChecks.Explain(status);
}
