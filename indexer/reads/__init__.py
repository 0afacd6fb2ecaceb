"""Plans -> answers: encoding, batching, isolation of what fails, rounds in lock-step."""
