using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Expectations of messages for users.</summary>
internal static class UserErrors
{
    /// <summary>The message of the user error that an action must end in.</summary>
    public static string Message(Action action)
    {
        string message = Assert.Throws<UserErrorException>(action).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
