"""What operations need from the world, as small protocols. Adapters implement them; tests have fakes of them."""
