// cuDNN's handle, its texts, and the run of a plan.
#include <cstring>

#include "cudnn_library.h"
#include "options.h"

using namespace emulation;

namespace
{

thread_local std::string last_error;

} // namespace

CudnnStatus emulation::answer_cudnn(const CudnnRefusal& refusal)
{
    last_error = refusal.sentence;
    return refusal.status;
}

CUDNN_API size_t cudnnGetVersion() { return static_cast<size_t>(options.cudnn_version); }

CUDNN_API const char* cudnnGetErrorString(CudnnStatus status)
{
    switch (status)
    {
    case CudnnSuccess: return "CUDNN_STATUS_SUCCESS";
    case CudnnNotInitialized: return "CUDNN_STATUS_NOT_INITIALIZED";
    case CudnnBadParameter: return "CUDNN_STATUS_BAD_PARAM";
    case CudnnNotFinalized: return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
    case CudnnBadAttributeType: return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
    case CudnnNotSupported: return "CUDNN_STATUS_NOT_SUPPORTED";
    case CudnnUnknownDescriptor: return "CUDNN_STATUS_INTERNAL_ERROR_UNEXPECTED_VALUE";
    case CudnnExecutionFailed: return "CUDNN_STATUS_EXECUTION_FAILED";
    default: return "CUDNN_STATUS_UNKNOWN";
    }
}

CUDNN_API void cudnnGetLastErrorString(char* message, size_t size)
{
    if (size > 0)
    {
        std::strncpy(message, last_error.c_str(), size - 1);
        message[size - 1] = 0;
        last_error.clear();
    }
}

CUDNN_API CudnnStatus cudnnCreate(CudnnHandle** handle)
{
    return library_call([&] {
        if (options.cudnn == 0 || !driver.initialized || driver.context_references == 0 || !context_is_current)
        {
            refuse(CudnnNotInitialized, "there is no current context");
        }

        *handle = new CudnnHandle();
    });
}

CUDNN_API CudnnStatus cudnnDestroy(CudnnHandle* handle)
{
    return library_call([&] {
        scheduler.synchronize_all();
        delete handle;
    });
}

CUDNN_API CudnnStatus cudnnSetStream(CudnnHandle* handle, Stream* stream)
{
    return library_call([&] { handle->stream = stream; });
}

CUDNN_API CudnnStatus cudnnGetStream(CudnnHandle* handle, Stream** stream)
{
    return library_call([&] { *stream = handle->stream; });
}

namespace
{

// The pointers of a run by the places of its graph's tensors; of numbers, which are the host's, the values.
void gather(const CudnnGraph& graph, const CudnnDescriptor& pack, std::vector<void*>& pointers, std::vector<float>& numbers)
{
    const CudnnAttribute& ids = *pack.find(1000);
    const CudnnAttribute& given = *pack.find(1001);
    pointers.assign(graph.tensors.size(), nullptr);
    numbers.assign(graph.tensors.size(), 0);
    if (ids.count<int64_t>() != given.count<void*>())
    {
        refuse(CudnnBadParameter, "a run gives as many pointers as ids");
    }

    for (size_t i = 0; i < ids.count<int64_t>(); i++)
    {
        const int place = graph.place_of(ids.at<int64_t>(i));
        if (place < 0 || graph.tensors[static_cast<size_t>(place)].is_virtual)
        {
            refuse(CudnnBadParameter, "the graph has no tensor " + std::to_string(ids.at<int64_t>(i)) + " with memory");
        }

        pointers[static_cast<size_t>(place)] = given.at<void*>(i);
    }

    for (size_t place = 0; place < graph.tensors.size(); place++)
    {
        const CudnnTensor& tensor = graph.tensors[place];
        if (tensor.is_virtual)
        {
            continue;
        }

        if (pointers[place] == nullptr)
        {
            refuse(CudnnBadParameter, "the run has no pointer for the tensor " + std::to_string(tensor.id));
        }

        if (tensor.by_value && tensor.type == CudnnData::Int32)
        {
            int32_t number;
            std::memcpy(&number, pointers[place], sizeof(number));
            numbers[place] = static_cast<float>(number);
        }
        else if (tensor.by_value)
        {
            std::memcpy(&numbers[place], pointers[place], sizeof(float));
        }
        else if (reinterpret_cast<uintptr_t>(pointers[place]) % 16 != 0)
        {
            refuse(CudnnBadParameter, "the pointer of the tensor " + std::to_string(tensor.id) + " is no multiple of 16");
        }
    }
}

} // namespace

CUDNN_API CudnnStatus cudnnBackendExecute(CudnnHandle* handle, void* plan_descriptor, void* pack_descriptor)
{
    return library_call([&] {
        const CudnnDescriptor& made = living_descriptor(plan_descriptor);
        const CudnnDescriptor& pack = living_descriptor(pack_descriptor);
        if (!made.finalized || !pack.finalized)
        {
            refuse(CudnnNotFinalized, "a plan and its pointers are finalized before they are run");
        }

        std::vector<void*> pointers;
        std::vector<float> numbers;
        gather(*made.plan->graph, pack, pointers, numbers);
        const auto workspace = reinterpret_cast<uintptr_t>(pack.value<void*>(1003, nullptr));
        if (made.plan->workspace > 0 && (workspace == 0 || workspace % 16 != 0))
        {
            refuse(CudnnBadParameter, "the plan's workspace is missing, or no multiple of 16");
        }

        const CUresult queued = with_stream(handle->stream, [&](Stream& stream) {
            scheduler.queue(stream, "attention of cuDNN",
                [plan = made.plan, pointers, numbers, workspace] { run_plan(*plan, pointers, numbers, workspace); });
            return Success;
        });
        if (queued != Success)
        {
            refuse(CudnnExecutionFailed, "the stream cannot be used");
        }
    });
}
