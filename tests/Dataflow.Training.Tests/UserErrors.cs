using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Expectations of messages for users.</summary>
internal static class UserErrors
{
    /// <summary>The message of the user error that an action must end in.</summary>
    public static string Message(Action action) => Message(action, typeof(UserErrorException));

    /// <summary>Of that type.</summary>
    public static string Message(Action action, Type type)
    {
        string message = Assert.Throws(type, action).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
